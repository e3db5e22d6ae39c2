package main

import (
	"encoding"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	sourceDefault     = "default"
	sourceEnvironment = "environment"
	masked            = "****"
)

// setting is one line of what `parley config` shows.
type setting struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Source      string `json:"source"`
	Description string `json:"description"`
	Secret      bool   `json:"secret,omitempty"`
}

// fileSettings shows the file's sections as they are in effect, what comes from
// defaults included.
func fileSettings(file *configFile, book *policy.Book, demo bool) []setting {
	l := &settingList{file: file}

	for _, name := range book.Policies() {
		p, _ := book.Policy(name)
		l.under = ""

		if name != policy.DefaultName {
			l.under = "policies." + policy.DefaultName
		}

		l.structure(reflect.ValueOf(p), "policies."+name)
	}

	l.under = ""

	for _, name := range slices.Sorted(maps.Keys(file.calendars)) {
		l.structure(reflect.ValueOf(file.calendars[name]), "hours."+name)
	}

	spoken := dialects.Table()

	for _, source := range book.Sources() {
		// A start without a file leaves these out, too.
		if _, known := spoken[source.Dialect]; !known && file.sources == nil {
			continue
		}

		field := "sources." + source.Name
		l.structure(reflect.ValueOf(source), field)
		l.forced(field+".policy", demo)
		l.deviations(book, source.Name, field+".policy")
	}

	for _, name := range slices.Sorted(maps.Keys(file.Desks)) {
		l.structure(reflect.ValueOf(file.Desks[name]), "desks."+name)
	}

	for _, name := range slices.Sorted(maps.Keys(file.Channels)) {
		l.structure(reflect.ValueOf(file.Channels[name]), "channels."+name)
	}

	l.structure(reflect.ValueOf(file.Tickets), "tickets")
	l.structure(reflect.ValueOf(file.Network), "network")

	return l.settings
}

// settingList collects the leaves of the file's structs.
type settingList struct {
	file *configFile
	// under is the path from which a part is taken that the file leaves out.
	under    string
	settings []setting
}

func (l *settingList) structure(v reflect.Value, path string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)

		switch name := yamlName(field); name {
		case "-", "":
		case ",inline":
			l.value(v.Field(i), path, field.Tag)
		default:
			l.value(v.Field(i), join(path, name), field.Tag)
		}
	}
}

func (l *settingList) value(v reflect.Value, path string, tag reflect.StructTag) {
	_, text := reflect.TypeAssert[encoding.TextMarshaler](v)

	switch {
	case !text && v.Kind() == reflect.Struct:
		l.structure(v, path)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && !isText(v.Type().Elem()):
		for i := range v.Len() {
			l.structure(v.Index(i), path+"["+strconv.Itoa(i)+"]")
		}
	case v.Kind() == reflect.Map && v.Len() > 0:
		keys := v.MapKeys()
		slices.SortFunc(keys, compareKeys)

		for _, key := range keys {
			l.add(join(path, fmt.Sprint(key.Interface())), show(v.MapIndex(key), tag), tag)
		}
	default:
		l.add(path, show(v, tag), tag)
	}
}

func compareKeys(a, b reflect.Value) int {
	if a.CanInt() {
		return int(a.Int() - b.Int())
	}

	return strings.Compare(a.String(), b.String())
}

func (l *settingList) add(path, value string, tag reflect.StructTag) {
	l.settings = append(l.settings, setting{
		Name: path, Value: value, Source: l.origin(path), Description: tag.Get("desc"), Secret: tag.Get("secret") != "",
	})
}

// origin tells where a value comes from: the file, if it is written there or in
// the policy from which this one inherits.
func (l *settingList) origin(path string) string {
	paths := []string{path}

	if l.under != "" {
		parts := strings.SplitN(path, ".", 3) //nolint:mnd // policies, the name, the rest
		// What demo sets by itself does not come from default.
		if !builtIn(path) {
			paths = append(paths, join(l.under, parts[len(parts)-1]))
		}
	}

	for _, each := range paths {
		if line, ok := l.file.decoder.lines[each]; ok && l.file.Path != "" {
			return l.file.Path + ":" + strconv.Itoa(line)
		}
	}

	return sourceDefault
}

func builtIn(path string) bool {
	const demo = "policies." + policy.DemoName + "."

	return slices.Contains([]string{demo + "unreplied.first", demo + "unreplied.repeat", demo + "closeout.grace"}, path)
}

// forced says that the command line chose a source's policy.
func (l *settingList) forced(field string, demo bool) {
	for i := range l.settings {
		if demo && l.settings[i].Name == field {
			l.settings[i].Source = "--demo"
		}
	}
}

// deviations shows what a source's dialect changes in its policy.
func (l *settingList) deviations(book *policy.Book, source, field string) {
	snapshot := book.Snapshot(source)
	named, _ := book.Policy(snapshot.PolicyName)

	plain, own := &settingList{file: l.file}, &settingList{file: l.file}
	plain.structure(reflect.ValueOf(named), field)
	own.structure(reflect.ValueOf(snapshot.Policy), field)

	for _, row := range own.settings {
		if slices.ContainsFunc(plain.settings, func(other setting) bool { return other.Name == row.Name && other.Value == row.Value }) {
			continue
		}

		row.Source = sourceDefault + " of " + snapshot.Dialect
		l.settings = append(l.settings, row)
	}
}

// show writes a value as one would write it in the file; secrets are masked.
func show(v reflect.Value, tag reflect.StructTag) string {
	if marshaler, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		text, err := marshaler.MarshalText()
		if err != nil {
			return "?"
		}

		return string(text)
	}

	switch v.Kind() {
	case reflect.Slice:
		texts := make([]string, 0, v.Len())
		for i := range v.Len() {
			texts = append(texts, show(v.Index(i), tag))
		}

		return "[" + strings.Join(texts, ", ") + "]"
	case reflect.Map:
		return "{}"
	case reflect.String:
		return showText(v.String(), tag.Get("secret"))
	default:
		return fmt.Sprint(v.Interface())
	}
}

func showText(text, secret string) string {
	switch {
	case text == "":
		return `""`
	case secret == "path":
		// Slack and others put the secret into the address.
		parsed, err := url.Parse(text)
		if err != nil || parsed.Host == "" {
			return masked
		}

		if strings.Trim(parsed.Path, "/") == "" && parsed.RawQuery == "" {
			return parsed.Scheme + "://" + parsed.Host
		}

		return parsed.Scheme + "://" + parsed.Host + "/" + masked
	case secret != "":
		return masked
	default:
		return printable(text)
	}
}

// printable quotes what would disturb a terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}

	return text
}
