// Package base declares the parts of a schema that Pulumi names.
package base

import (
	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// Low is a schema as it was read.
type Low struct{}

// Hash is 0.
func (*Low) Hash() uint64 { return 0 }

// Choice is one of two values.
type Choice struct {
	A *SchemaProxy
	B bool
}

// IsA says whether it is the first one.
func (*Choice) IsA() bool { return false }

// Discriminator tells the variants of a schema apart.
type Discriminator struct {
	PropertyName string
	Mapping      *orderedmap.Map[string, string]
}

// Schema describes a value.
type Schema struct {
	Title, Description, Format, Pattern string
	Type, Required                      []string
	AllOf, AnyOf, OneOf                 []*SchemaProxy
	Properties                          *orderedmap.Map[string, *SchemaProxy]
	Extensions                          *orderedmap.Map[string, *yaml.Node]
	AdditionalProperties, Items         *Choice
	Discriminator                       *Discriminator
	Enum                                []*yaml.Node
	Default                             *yaml.Node
	Nullable, ReadOnly                  *bool
	Minimum, Maximum, MultipleOf        *float64
	MinLength, MaxLength                *int64
}

// GoLow gives nothing.
func (*Schema) GoLow() *Low { return nil }

// MarshalJSONInline gives nothing.
func (*Schema) MarshalJSONInline() ([]byte, error) { return nil, nil }

// SchemaProxy leads to a schema.
type SchemaProxy struct{}

// Schema gives nothing.
func (*SchemaProxy) Schema() *Schema { return nil }
