package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	// maxConfigNodes and maxConfigDepth bound a file in which aliases repeat
	// what an anchor names.
	maxConfigNodes = 100_000
	maxConfigDepth = 32
)

// The kinds of a [node].
type nodeKind int

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
)

func (k nodeKind) String() string {
	return [...]string{"nothing", "a single value", "a list", "a mapping"}[k]
}

// node is a part of a configuration file: YAML without its many ways to write
// the same, with the line where each part stands.
type node struct {
	kind nodeKind
	line int
	// text of a scalar, with the values of variables in it.
	text      string
	variables []variable
	items     []*node
	entries   []entry
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	line  int
	value *node
}

// unexpanded puts the names of variables back into a message that quotes their
// values, which may be secrets.
func (n *node) unexpanded(message string) string {
	for _, each := range n.variables {
		if each.value != "" {
			message = strings.ReplaceAll(message, each.value, "${"+each.name+"}")
		}
	}

	return message
}

// lineError is a fault of a configuration file, with the line where it is.
type lineError struct {
	line   int
	reason string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

func faultAt(line int, format string, args ...any) error {
	return &lineError{line: line, reason: fmt.Sprintf(format, args...)}
}

// expandFunc puts variables into a text.
type expandFunc func(text string) (string, []variable, error)

// parseTree reads YAML. Its errors are of type *lineError and never repeat more
// of the file than a key.
func parseTree(data []byte, expand expandFunc) (*node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxFault(err)
	}

	builder := &treeBuilder{expand: expand, anchors: map[string]ast.Node{}}
	root := &node{kind: nullNode, line: 1}
	seen := false

	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}

		if seen {
			return nil, faultAt(lineOf(document.Body), "only one YAML document is allowed")
		}

		seen = true

		root, err = builder.build(document.Body, 0)
		if err != nil {
			return nil, err
		}
	}

	return root, nil
}

func syntaxFault(err error) error {
	var fault yaml.Error

	if errors.As(err, &fault) && fault.GetToken() != nil {
		return faultAt(fault.GetToken().Position.Line, "%s", fault.GetMessage())
	}

	return faultAt(1, "this is no YAML")
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 1
	}

	return n.GetToken().Position.Line
}

type treeBuilder struct {
	expand  expandFunc
	anchors map[string]ast.Node
	count   int
}

func (b *treeBuilder) build(n ast.Node, depth int) (*node, error) {
	b.count++

	if b.count > maxConfigNodes || depth > maxConfigDepth {
		return nil, faultAt(lineOf(n), "the file is too large or too deep here")
	}

	line := lineOf(n)

	switch n := n.(type) {
	case nil, *ast.NullNode:
		return &node{kind: nullNode, line: line}, nil
	case *ast.StringNode:
		return b.text(line, n.Value)
	case *ast.LiteralNode:
		return b.text(line, n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text := n.GetToken().Value

		return &node{kind: scalarNode, line: line, text: text}, nil
	case *ast.SequenceNode:
		return b.list(n, depth)
	case *ast.MappingNode:
		return b.mapping(line, n.Values, depth)
	case *ast.MappingValueNode:
		return b.mapping(lineOf(n.Key), []*ast.MappingValueNode{n}, depth)
	case *ast.AnchorNode:
		b.anchors[n.Name.GetToken().Value] = n.Value

		return b.build(n.Value, depth+1)
	case *ast.AliasNode:
		value, ok := b.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, faultAt(line, "there is no anchor &%s above", n.Value.GetToken().Value)
		}

		return b.build(value, depth+1)
	default:
		return nil, faultAt(line, "YAML of this kind (%s) is not used here", n.Type())
	}
}

func (b *treeBuilder) text(line int, written string) (*node, error) {
	text, variables, err := b.expand(written)
	if err != nil {
		return nil, faultAt(line, "%s", err)
	}

	return &node{kind: scalarNode, line: line, text: text, variables: variables}, nil
}

func (b *treeBuilder) list(n *ast.SequenceNode, depth int) (*node, error) {
	out := &node{kind: listNode, line: lineOf(n), items: make([]*node, 0, len(n.Values))}

	for _, value := range n.Values {
		item, err := b.build(value, depth+1)
		if err != nil {
			return nil, err
		}

		out.items = append(out.items, item)
	}

	return out, nil
}

func (b *treeBuilder) mapping(line int, values []*ast.MappingValueNode, depth int) (*node, error) {
	out := &node{kind: mapNode, line: line, entries: make([]entry, 0, len(values))}
	merged := []*node{}

	for _, value := range values {
		child, err := b.build(value.Value, depth+1)
		if err != nil {
			return nil, err
		}

		if value.Key.IsMergeKey() {
			merged = append(merged, child)

			continue
		}

		key, err := keyText(value.Key)
		if err != nil {
			return nil, err
		}

		if at, twice := out.find(key); twice {
			return nil, faultAt(lineOf(value.Key), "the key %s is already on line %d", key, at)
		}

		out.entries = append(out.entries, entry{key: key, line: lineOf(value.Key), value: child})
	}

	for _, child := range merged {
		if err := out.merge(child); err != nil {
			return nil, err
		}
	}

	return out, nil
}

func keyText(key ast.MapKeyNode) (string, error) {
	switch key := key.(type) {
	case *ast.StringNode:
		return key.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return strings.TrimSpace(key.GetToken().Value), nil
	default:
		return "", faultAt(lineOf(key), "a key must be a single value")
	}
}

func (n *node) find(key string) (int, bool) {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].line, true
		}
	}

	return 0, false
}

// merge takes over what << names, except the keys that are there already.
func (n *node) merge(from *node) error {
	switch from.kind {
	case mapNode:
		for _, entry := range from.entries {
			if _, there := n.find(entry.key); !there {
				n.entries = append(n.entries, entry)
			}
		}
	case listNode:
		for _, item := range from.items {
			if item.kind != mapNode {
				return faultAt(item.line, "<< takes mappings")
			}

			if err := n.merge(item); err != nil {
				return err
			}
		}
	case nullNode, scalarNode:
		return faultAt(from.line, "<< takes a mapping")
	}

	return nil
}
