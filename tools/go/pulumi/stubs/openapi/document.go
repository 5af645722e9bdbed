// Package libopenapi stands in for the real one, which takes a quarter of the time to compile Pulumi, and which only
// `pulumi api` uses: it calls Pulumi Cloud's own API. That command ends with the error below.
package libopenapi

import (
	"errors"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Document is a parsed document. There is none.
type Document interface {
	BuildV3Model() (*DocumentModel, error)
}

// DocumentModel holds the document's model.
type DocumentModel struct {
	Model v3.Document
}

// NewDocument fails.
func NewDocument([]byte) (Document, error) {
	return nil, errors.New("the pulumi that FleetCaptain builds has no `pulumi api`; install Pulumi for it: " +
		"https://www.pulumi.com/docs/iac/download-install/")
}
