package main

import (
	"encoding"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/spelling"
)

// decoder puts a [node] into a struct with yaml tags, onto what is there: what
// the file leaves out stays, lists replace, mappings are merged by key. It goes
// on after a fault, so that one run tells all of them.
type decoder struct {
	faults []error
	// lines tells where each path of the file stands.
	lines map[string]int
	// scalars are the single values of the file by path.
	scalars map[string]*node
}

func newDecoder() *decoder {
	return &decoder{lines: map[string]int{}, scalars: map[string]*node{}}
}

func (d *decoder) fault(line int, path, reason string) {
	d.faults = append(d.faults, &lineError{line: line, reason: path + ": " + reason})
}

func (d *decoder) decode(n *node, into any, path string) {
	d.value(n, reflect.ValueOf(into).Elem(), path)
}

func (d *decoder) value(n *node, v reflect.Value, path string) {
	if n.kind == nullNode {
		return
	}

	if _, there := d.lines[path]; !there && path != "" {
		d.lines[path] = n.line
	}

	if raw, ok := reflect.TypeAssert[**node](v.Addr()); ok {
		*raw = n

		return
	}

	if unmarshaler, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		d.unmarshal(n, unmarshaler, path)

		return
	}

	switch v.Kind() {
	case reflect.Struct:
		if d.want(n, mapNode, path) {
			d.structure(n, v, path)
		}
	case reflect.Map:
		if d.want(n, mapNode, path) {
			d.mapping(n, v, path)
		}
	case reflect.Slice:
		if d.want(n, listNode, path) {
			d.list(n, v, path)
		}
	default:
		if d.want(n, scalarNode, path) {
			d.scalar(n, v, path)
		}
	}
}

func (d *decoder) want(n *node, kind nodeKind, path string) bool {
	if n.kind == kind {
		return true
	}

	d.fault(n.line, path, "must be "+kind.String()+", not "+n.kind.String())

	return false
}

func (d *decoder) unmarshal(n *node, into encoding.TextUnmarshaler, path string) {
	if !d.want(n, scalarNode, path) {
		return
	}

	d.scalars[path] = n

	if prefix, ok := into.(*netip.Prefix); ok {
		into = (*privateNetwork)(prefix)
	}

	if err := into.UnmarshalText([]byte(n.text)); err != nil {
		d.fault(n.line, path, n.unexpanded(err.Error()))
	}
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	known, inline := fieldsOf(v)

	for _, entry := range n.entries {
		field, ok := known[entry.key]

		switch {
		case ok:
			at := join(path, entry.key)
			d.lines[at] = entry.line
			d.value(entry.value, field, at)
		case inline.IsValid():
			d.element(entry, inline, path)
		default:
			d.fault(entry.line, join(path, entry.key), "unknown key"+spelling.Suggest(entry.key, keysOf(v.Type())))
		}
	}
}

func (d *decoder) mapping(n *node, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	}

	for _, entry := range n.entries {
		d.element(entry, v, path)
	}
}

// element sets one key of a map, onto the element that is there.
func (d *decoder) element(entry entry, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}

	path = join(path, entry.key)
	d.lines[path] = entry.line
	key := reflect.New(v.Type().Key()).Elem()

	if key.CanInt() {
		number, err := strconv.Atoi(entry.key)
		if err != nil {
			d.fault(entry.line, path, "the key must be a whole number")

			return
		}

		key.SetInt(int64(number))
	} else {
		key.SetString(entry.key)
	}

	element := reflect.New(v.Type().Elem()).Elem()
	if there := v.MapIndex(key); there.IsValid() {
		element.Set(there)
	}

	d.value(entry.value, element, path)
	v.SetMapIndex(key, element)
}

func (d *decoder) list(n *node, v reflect.Value, path string) {
	// A new slice: the one that is there may be a default's.
	list := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))

	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"

		if item.kind == nullNode {
			d.fault(item.line, at, "is empty")

			continue
		}

		d.value(item, list.Index(i), at)
	}

	v.Set(list)
}

func (d *decoder) scalar(n *node, v reflect.Value, path string) {
	d.scalars[path] = n

	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
	case reflect.Bool:
		switch n.text {
		case "true", "false":
			v.SetBool(n.text == "true")
		default:
			d.fault(n.line, path, "must be true or false")
		}
	case reflect.Int:
		number, err := strconv.Atoi(n.text)
		if err != nil {
			d.fault(n.line, path, "must be a whole number")

			return
		}

		v.SetInt(int64(number))
	default:
		// A field of a kind that no configuration struct has yet.
		d.fault(n.line, path, "cannot be read into "+v.Type().String())
	}
}

// err returns what is wrong, in the order of the file.
func (d *decoder) err() error { return inOrder(d.faults) }

// locate gives the faults of a checked configuration, whose fields are paths,
// the lines of these paths or of the part around them.
func (d *decoder) locate(err error) error {
	found := flatten(err)
	faults := make([]error, 0, len(found))

	for _, fault := range found {
		if field, ok := errors.AsType[*signals.FieldError](fault); ok {
			reason := field.Error()
			if scalar, ok := d.scalars[field.Field]; ok {
				reason = scalar.unexpanded(reason)
			}

			fault = &lineError{line: d.lineOf(field.Field), reason: reason}
		}

		faults = append(faults, fault)
	}

	return inOrder(faults)
}

func (d *decoder) lineOf(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}

		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}

	return 0
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}

	var joined interface{ Unwrap() []error }

	if !errors.As(err, &joined) {
		return []error{err}
	}

	out := []error{}
	for _, part := range joined.Unwrap() {
		out = append(out, flatten(part)...)
	}

	return out
}

func inOrder(faults []error) error {
	sorted := slices.Clone(faults)
	slices.SortStableFunc(sorted, func(a, b error) int { return lineIn(a) - lineIn(b) })

	return errors.Join(sorted...)
}

func lineIn(err error) int {
	if fault, ok := errors.AsType[*lineError](err); ok {
		return fault.line
	}

	return 0
}

func join(path, key string) string {
	if path == "" {
		return key
	}

	return path + "." + key
}

// fieldsOf returns a struct's fields by their yaml names, and the map that takes
// the other keys, if it has one.
func fieldsOf(v reflect.Value) (map[string]reflect.Value, reflect.Value) {
	known := map[string]reflect.Value{}
	inline := reflect.Value{}

	for i := range v.NumField() {
		switch name := yamlName(v.Type().Field(i)); name {
		case "-", "":
		case ",inline":
			inline = v.Field(i)
		default:
			known[name] = v.Field(i)
		}
	}

	return known, inline
}

// keysOf returns the yaml names of a struct's fields in their order.
func keysOf(t reflect.Type) []string {
	keys := []string{}

	for field := range t.Fields() {
		if name := yamlName(field); name != "-" && name != "" && name != ",inline" {
			keys = append(keys, name)
		}
	}

	return keys
}

func yamlName(field reflect.StructField) string {
	name := field.Tag.Get("yaml")
	if before, _, found := strings.Cut(name, ","); found && before != "" {
		return before
	}

	return name
}
