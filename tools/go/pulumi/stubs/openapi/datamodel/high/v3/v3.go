// Package v3 declares the parts of a document that Pulumi names.
package v3

import (
	"github.com/pb33f/libopenapi/datamodel/high/base"
	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// Document describes an API.
type Document struct {
	Info       *Info
	Paths      *Paths
	Components *Components
}

// Info names it.
type Info struct{ Version string }

// Paths are its endpoints.
type Paths struct {
	PathItems *orderedmap.Map[string, *PathItem]
}

// Components are its schemas.
type Components struct {
	Schemas *orderedmap.Map[string, *base.SchemaProxy]
}

// PathItem is one endpoint.
type PathItem struct {
	Get, Post, Put, Patch, Delete, Head, Options *Operation
}

// Operation is one of its methods.
type Operation struct {
	OperationId, Summary, Description string
	Tags                              []string
	Parameters                        []*Parameter
	RequestBody                       *RequestBody
	Responses                         *Responses
	Extensions                        *orderedmap.Map[string, *yaml.Node]
	Deprecated                        *bool
}

// Parameter is one of its parameters.
type Parameter struct {
	Name, In, Description string
	Required              *bool
	Schema                *base.SchemaProxy
}

// RequestBody is what it takes.
type RequestBody struct {
	Content *orderedmap.Map[string, *MediaType]
}

// Responses are what it gives.
type Responses struct {
	Codes   *orderedmap.Map[string, *Response]
	Default *Response
}

// Response is one of them.
type Response struct {
	Description string
	Content     *orderedmap.Map[string, *MediaType]
}

// MediaType is its content.
type MediaType struct {
	Schema *base.SchemaProxy
}
