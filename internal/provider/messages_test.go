// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// The guide "When something goes wrong" has a heading of the third level for each
// summary of a diagnostic. The summaries are taken from the source: from what
// makes diagnostics back to the constants. What is not constant of a summary is "…"
// in both.

const troubleGuide = "templates/guides/when-something-goes-wrong.md"

// summaryAt are the functions and methods that make a diagnostic, with the place
// of the summary among their arguments.
var summaryAt = map[string]int{
	"AddError": 0, "AddWarning": 0, "AddAttributeError": 1, "AddAttributeWarning": 1,
	"NewErrorDiagnostic": 0, "NewWarningDiagnostic": 0, "NewAttributeErrorDiagnostic": 1, "NewAttributeWarningDiagnostic": 1,
}

// summariesOfOthers are what expressions of the source stand for that are the
// summaries of a library's diagnostics.
var summariesOfOthers = map[string][]string{
	"d.Summary()": nil, // Of the warnings of aws-sdk-go-base, none that is handed on comes out of it.
}

// source is the source of the provider, and what leads from each expression back
// to where its value comes from.
type source struct {
	fset *token.FileSet
	info types.Info
	// values are what variables and fields are set to.
	values map[types.Object][]result
	// returns are the results that functions return.
	returns map[types.Object][][]ast.Expr
	// made are the places where diagnostics are made: the summaries.
	made []ast.Expr
}

// result is an expression, or one of the results of a call.
type result struct {
	expr  ast.Expr
	index int
}

// noImports stands for all other packages: what comes from there is no summary of
// this provider's, and a test should not have to compile it.
type noImports struct{}

func (noImports) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{
		fset:    token.NewFileSet(),
		info:    types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
		values:  map[types.Object][]result{},
		returns: map[types.Object][][]ast.Expr{},
	}
	var files []*ast.File
	walkFiles(t, "internal/provider", func(name string) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return
		}
		file, err := parser.ParseFile(s.fset, path.Join(checkout, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	})
	config := types.Config{Importer: noImports{}, Error: func(error) {}} // Of the other packages, everything is missing.
	_, _ = config.Check("provider", s.fset, files, &s.info)
	for _, file := range files {
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
				s.readReturns(function)
			}
		}
		ast.Inspect(file, s.read)
	}
	return s
}

func (s *source) readReturns(function *ast.FuncDecl) {
	ast.Inspect(function.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			s.returns[s.info.Defs[function.Name]] = append(s.returns[s.info.Defs[function.Name]], n.Results)
		}
		return true
	})
}

// read notes what one node of the source says of values and diagnostics.
func (s *source) read(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		s.assign(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		var names []ast.Expr
		for _, name := range n.Names {
			names = append(names, name)
		}
		if len(n.Values) > 0 {
			s.assign(names, n.Values)
		}
	case *ast.CompositeLit:
		s.readLiteral(n)
	case *ast.CallExpr:
		name := ""
		switch callee := ast.Unparen(n.Fun).(type) {
		case *ast.Ident:
			name = callee.Name
		case *ast.SelectorExpr:
			name = callee.Sel.Name
		}
		if at, ok := summaryAt[name]; ok && at < len(n.Args) {
			s.made = append(s.made, n.Args[at])
		}
		if function, ok := s.callee(n).(*types.Func); ok {
			parameters := function.Signature().Params()
			for i, argument := range n.Args {
				if i < parameters.Len() {
					s.values[parameters.At(i)] = append(s.values[parameters.At(i)], result{argument, 0})
				}
			}
		}
	}
	return true
}

func (s *source) assign(left, right []ast.Expr) {
	for i, l := range left {
		var object types.Object
		switch l := ast.Unparen(l).(type) {
		case *ast.Ident:
			object = s.info.ObjectOf(l)
		case *ast.SelectorExpr:
			if selection := s.info.Selections[l]; selection != nil {
				object = selection.Obj()
			}
		}
		switch {
		case object == nil:
		case len(left) == len(right):
			s.values[object] = append(s.values[object], result{right[i], 0})
		case len(right) == 1:
			s.values[object] = append(s.values[object], result{right[0], i})
		}
	}
}

// readLiteral notes what the fields of a struct are set to. Of a diagnostic that is
// written as a literal it notes the summary.
func (s *source) readLiteral(literal *ast.CompositeLit) {
	var fields types.Type
	if of := s.info.Types[literal].Type; of != nil {
		fields = of.Underlying()
		if pointer, ok := fields.(*types.Pointer); ok {
			fields = pointer.Elem().Underlying()
		}
	}
	structure, _ := fields.(*types.Struct)
	for i, element := range literal.Elts {
		pair, keyed := element.(*ast.KeyValueExpr)
		if !keyed {
			if structure != nil && i < structure.NumFields() {
				s.values[structure.Field(i)] = append(s.values[structure.Field(i)], result{element, 0})
			}
			continue
		}
		key, ok := pair.Key.(*ast.Ident)
		if !ok {
			continue
		}
		if key.Name == "Summary" && structure == nil {
			if name, ok := literal.Type.(*ast.SelectorExpr); ok && name.Sel.Name == "Diagnostic" {
				s.made = append(s.made, pair.Value)
			}
		}
		for j := 0; structure != nil && j < structure.NumFields(); j++ {
			if field := structure.Field(j); field.Name() == key.Name {
				s.values[field] = append(s.values[field], result{pair.Value, 0})
			}
		}
	}
}

// callee returns the function of this package that is called, nil if it is none.
func (s *source) callee(call *ast.CallExpr) types.Object {
	switch callee := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return s.info.Uses[callee]
	case *ast.SelectorExpr:
		return s.info.Uses[callee.Sel]
	}
	return nil
}

// summaries returns all that the expression can be, and whether that is known.
func (s *source) summaries(e result, seen map[types.Object]bool) ([]string, bool) {
	if value := s.info.Types[e.expr].Value; value != nil && value.Kind() == constant.String {
		if constant.StringVal(value) == "" {
			return nil, true // Where there is nothing to say.
		}
		return []string{constant.StringVal(value)}, true
	}
	switch expr := ast.Unparen(e.expr).(type) {
	case *ast.BinaryExpr:
		return []string{s.part(expr.X) + s.part(expr.Y)}, true
	case *ast.CallExpr:
		return s.ofCall(expr, e.index, seen)
	case *ast.Ident:
		return s.ofObject(s.info.ObjectOf(expr), seen)
	case *ast.SelectorExpr:
		if selection := s.info.Selections[expr]; selection != nil {
			return s.ofObject(selection.Obj(), seen)
		}
	}
	return nil, false
}

// part returns an operand of a sum: what is not constant is "…".
func (s *source) part(expr ast.Expr) string {
	if value := s.info.Types[expr].Value; value != nil && value.Kind() == constant.String {
		return constant.StringVal(value)
	}
	if sum, ok := ast.Unparen(expr).(*ast.BinaryExpr); ok {
		return s.part(sum.X) + s.part(sum.Y)
	}
	return "…"
}

var verb = regexp.MustCompile(`%[-+# 0-9.\[\]*]*[a-zA-Z]`)

func (s *source) ofCall(call *ast.CallExpr, index int, seen map[types.Object]bool) ([]string, bool) {
	if value := types.ExprString(call.Fun); value == "fmt.Sprintf" {
		format := s.info.Types[call.Args[0]].Value
		if format == nil {
			return nil, false
		}
		return []string{verb.ReplaceAllString(constant.StringVal(format), "…")}, true
	}
	if others, ok := summariesOfOthers[types.ExprString(call)]; ok {
		return others, true
	}
	function := s.callee(call)
	if function == nil {
		return nil, false
	}
	if function.Name() == "capitalised" {
		all, known := s.summaries(result{call.Args[0], 0}, seen)
		all = slices.Clone(all)
		for i, summary := range all {
			all[i] = strings.ToUpper(summary[:1]) + summary[1:]
		}
		return all, known
	}
	var all []string
	for _, results := range s.returns[function] {
		if len(results) == 1 && index > 0 {
			return nil, false
		}
		some, known := s.summaries(result{results[index], 0}, seen)
		if !known {
			return nil, false
		}
		all = append(all, some...)
	}
	return all, len(s.returns[function]) > 0
}

func (s *source) ofObject(object types.Object, seen map[types.Object]bool) ([]string, bool) {
	if object == nil || seen[object] {
		return nil, object != nil
	}
	seen[object] = true
	defer delete(seen, object)
	var all []string
	for _, value := range s.values[object] {
		some, known := s.summaries(value, seen)
		if !known {
			return nil, false
		}
		all = append(all, some...)
	}
	return all, len(s.values[object]) > 0
}

// all returns every summary, with a place where it is made.
func (s *source) all(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, expr := range s.made {
		position := s.fset.Position(expr.Pos())
		place := fmt.Sprintf("%s:%d", path.Base(position.Filename), position.Line)
		summaries, known := s.summaries(result{expr, 0}, map[types.Object]bool{})
		if !known {
			t.Errorf("%s: what the summary %s can be is not to be seen from the source: make it a constant, a field or a result that is set to constants, "+
				"or add it to summariesOfOthers in messages_test.go", place, types.ExprString(expr))
		}
		for _, summary := range summaries {
			all[summary] = place
		}
	}
	return all
}

// guideSections returns the guide's sections of the third level by their headings.
func guideSections(t *testing.T) map[string]string {
	t.Helper()
	sections := map[string]string{}
	for i, part := range regexp.MustCompile(`(?m)^### `).Split(readFile(t, path.Join(checkout, troubleGuide)), -1) {
		if i == 0 {
			continue
		}
		heading, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		if _, twice := sections[heading]; twice {
			t.Errorf("%s has the heading %q twice", troubleGuide, heading)
		}
		sections[heading] = text
	}
	return sections
}

func TestEveryMessageIsInTheGuide(t *testing.T) {
	t.Parallel()
	sections, summaries := guideSections(t), readSource(t).all(t)
	for _, example := range []string{"Layer not found", "Invalid proxy", "Cannot assume role: …", "…: … of … layers", "Bug in the provider", "Interrupted"} {
		if summaries[example] == "" {
			t.Errorf("the summary %q is not found in the source", example)
		}
	}
	for _, summary := range slices.Sorted(maps.Keys(summaries)) {
		if _, ok := sections[summary]; !ok {
			t.Errorf("%s does not have the message %q, which %s makes: add a heading \"### %[2]s\", what causes it, and a paragraph that begins with \"Fix: \"", troubleGuide, summary, summaries[summary])
		}
	}
	for heading, text := range sections {
		if summaries[heading] == "" && !slices.Contains(slices.Collect(maps.Values(libraryMessages)), heading) {
			t.Errorf("%s has the message %q, which nothing makes any more: remove it, or correct the heading", troubleGuide, heading)
		}
		if !strings.Contains(text, "\nFix: ") {
			t.Errorf("%s does not say how to fix %q: add a paragraph that begins with \"Fix: \"", troubleGuide, heading)
		}
	}
	for code, summaries := range provider.SummaryByCode() {
		for _, summary := range summaries {
			if !strings.Contains(sections[summary], "`"+code+"`") {
				t.Errorf("%s does not name the error code `%s` below the heading %q: add it", troubleGuide, code, summary)
			}
		}
	}
}

// libraryMessages are the summaries of the framework's own diagnostics, by a
// configuration that has one: of the provider block, or of a data source.
var libraryMessages = map[string]string{
	`data repository_name = "team/app"
	layer_digests = []`: "Invalid Attribute Value",
	`data repository_name = "team/app"
	layer_digests = [null]`: "Null Set Value",
	`data repository_name = "team/app"
	layer_digests = ["sha256:0"]
	timeouts {
		read = "5"
	}`: "Invalid Attribute Value Time Duration",
	`retry_mode = "none"`: "Invalid Attribute Value Match",
	`allowed_account_ids = ["123456789012"]
	forbidden_account_ids = ["210987654321"]`: "Invalid Attribute Combination",
	`shared_config_files = [null]`: "Null List Value",
}

func TestMessagesOfTheFrameworkAreAsTheGuideHasThem(t *testing.T) {
	t.Parallel()
	server := provider.NewServer("test")()
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sections := guideSections(t)
	for body, want := range libraryMessages {
		if _, ok := sections[want]; !ok {
			t.Errorf("%s does not have the message %q", troubleGuide, want)
		}
		const typeName = "ecrlayer_download_urls"
		var diagnostics []*tfprotov6.Diagnostic
		if arguments, ok := strings.CutPrefix(body, "data "); ok {
			config, err := decode(arguments, schemas.DataSourceSchemas[typeName])
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: typeName, Config: config})
			if err != nil {
				t.Fatal(err)
			}
			diagnostics = response.Diagnostics
		} else {
			config, err := decode(body, schemas.Provider)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: config})
			if err != nil {
				t.Fatal(err)
			}
			diagnostics = response.Diagnostics
		}
		var got []string
		for _, d := range diagnostics {
			got = append(got, d.Summary)
		}
		if !slices.Contains(got, want) {
			t.Errorf("of %s it says %q, want %q", body, got, want)
		}
	}
}
