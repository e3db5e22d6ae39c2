package webhooks

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"
)

//go:embed openapi.json
var openAPIDocument []byte

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// docs is the API's description, as JSON and as a page, made once.
type docs struct {
	json []byte
	html []byte
	csp  string
}

// described is the part of openapi.json that the page shows.
type described struct {
	Info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	} `json:"info"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

// operation is one method of one path.
type operation struct {
	Method string `json:"-"`
	Path   string `json:"-"`

	Summary     string       `json:"summary"`
	Description string       `json:"description"`
	Tags        []string     `json:"tags"`
	Parameters  []parameter  `json:"parameters"`
	Body        *requestBody `json:"requestBody"` //nolint:tagliatelle // OpenAPI wants it so
	Scope       string       `json:"x-scope"`     //nolint:tagliatelle // OpenAPI wants it so
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
}

func newDocs(version string) (*docs, error) {
	document, err := withVersion(version)
	if err != nil {
		return nil, err
	}

	page, err := renderDocs(document)
	if err != nil {
		return nil, err
	}

	sum := sha256.Sum256([]byte(docsStyle))

	return &docs{
		json: document,
		html: page,
		csp: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}, nil
}

// withVersion writes Parley's version into the document.
func withVersion(version string) ([]byte, error) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(openAPIDocument, &document); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}

	var info map[string]any
	if err := json.Unmarshal(document["info"], &info); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}

	if version != "" {
		info["version"] = version
	}

	raw, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}

	document["info"] = raw

	out, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}

	return out, nil
}

func renderDocs(document []byte) ([]byte, error) {
	var all described
	if err := json.Unmarshal(document, &all); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}

	operations, err := all.operations()
	if err != nil {
		return nil, err
	}

	parsed, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse docs.html: %w", err)
	}

	var page bytes.Buffer

	if err := parsed.Execute(&page, map[string]any{
		"Info": all.Info, "Operations": operations, "Forms": all.Components.Schemas,
		"Style": template.CSS(docsStyle), //nolint:gosec // our own file
	}); err != nil {
		return nil, fmt.Errorf("render docs.html: %w", err)
	}

	return page.Bytes(), nil
}

func (d *described) operations() ([]operation, error) {
	var out []operation

	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range [...]string{"get", "post", "put", "patch", "delete"} {
			raw, ok := d.Paths[path][method]
			if !ok {
				continue
			}

			one := operation{Method: method, Path: path}
			if err := json.Unmarshal(raw, &one); err != nil {
				return nil, fmt.Errorf("read openapi.json: %s %s: %w", method, path, err)
			}

			out = append(out, one)
		}
	}

	return out, nil
}

// root leads whoever opens the address in a browser, or asks it with curl, to
// the documentation.
func root(c *fiber.Ctx) error {
	c.Set(fiber.HeaderLocation, "/docs")

	return c.Status(http.StatusFound).SendString("This is Parley. Its API is described at /docs, for programs at /openapi.json.\n")
}

func (d *docs) openAPI(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)

	return c.Send(d.json)
}

func (d *docs) page(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Set(fiber.HeaderContentSecurityPolicy, d.csp)

	return c.Send(d.html)
}
