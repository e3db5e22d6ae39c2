package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// outOfRange tells of every number and duration below its min tag or above its
// max tag, one text each. The bounds stand beside the variable's name, where
// its package says what it is for.
func outOfRange(v reflect.Value, prefix string) []string {
	var out []string

	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")

		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			if reason := bounded(v.Field(i), field.Tag); reason != "" {
				out = append(out, prefix+name+": "+reason)
			}
		case field.Type.Kind() == reflect.Struct && !isText(field.Type):
			out = append(out, outOfRange(v.Field(i), prefix+field.Tag.Get("envPrefix"))...)
		}
	}

	return out
}

// bounded says what is wrong with a value, "" for nothing.
func bounded(v reflect.Value, tag reflect.StructTag) string {
	if !v.CanInt() {
		return ""
	}

	low, lowest := bound(v.Type(), tag, "min")
	high, highest := bound(v.Type(), tag, "max")

	switch {
	case (!lowest || v.Int() >= low) && (!highest || v.Int() <= high):
		return ""
	case lowest && highest:
		return fmt.Sprintf("must be from %s to %s", tag.Get("min"), tag.Get("max"))
	case lowest:
		return "must be at least " + tag.Get("min")
	default:
		return "must be at most " + tag.Get("max")
	}
}

// bound reads a tag as the type of its field does. One that cannot be read is a
// programming error, which a test finds.
func bound(t reflect.Type, tag reflect.StructTag, name string) (int64, bool) {
	text, set := tag.Lookup(name)
	if !set {
		return 0, false
	}

	if t == reflect.TypeFor[time.Duration]() {
		value, err := time.ParseDuration(text)

		return int64(value), err == nil
	}

	value, err := strconv.ParseInt(text, 10, 64)

	return value, err == nil
}
