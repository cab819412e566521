package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// figures are sums over all Go files that are not tests.
type figures struct {
	bodyLines    int // lines in function bodies
	blankLines   int // of these, the blank ones
	commentLines int // of these, those that are comments
	tuples       int // assignments of several values to several variables in one statement
}

func (f figures) String() string {
	return fmt.Sprintf("%d lines in function bodies: %.1f %% blank, %.1f %% comments; %d tuple assignments",
		f.bodyLines, share(f.blankLines, f.bodyLines), share(f.commentLines, f.bodyLines), f.tuples)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// typeSize counts what belongs to a type.
type typeSize struct {
	file            string
	line            int
	methods, fields int
}

// checkGo looks at one Go file. The rules are for the product: tests only need narrow comments.
func (r *report) checkGo(name string, text []byte, sizes map[string]*typeSize) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}

	lines := strings.Split(string(text), "\n")
	r.checkWidths(name, lines, set, file)
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}

	commented := commentedLines(set, file)
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			r.checkFunc(name, lines, commented, set, d)
			countMethod(path.Dir(name), d, sizes)
		case *ast.GenDecl:
			countFields(name, set, d, sizes)
		}
	}

	ast.Inspect(file, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) > 1 && len(a.Lhs) == len(a.Rhs) {
			r.tuples++
		}
		return true
	})

	return nil
}

// checkWidths finds comment lines that are too wide. A line that is one long word, such as an
// address, cannot be narrower.
func (r *report) checkWidths(name string, lines []string, set *token.FileSet, file *ast.File) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") {
				continue
			}
			first := set.Position(c.Pos()).Line
			last := set.Position(c.End()).Line
			for n := first; n <= last; n++ {
				r.checkWidth(name, n, lines[n-1])
			}
		}
	}
}

func (r *report) checkWidth(name string, number int, line string) {
	width := 0
	for _, c := range line {
		if c == '\t' {
			width += 4
		} else {
			width++
		}
	}

	words := strings.Fields(strings.TrimLeft(strings.TrimSpace(line), "/ "))
	if width > maxCommentWidth && len(words) > 1 {
		r.add(name, number, "a line with a comment has %d columns: wrap it at %d", width, maxCommentWidth)
	}
}

// commentedLines returns the lines that hold nothing but a comment.
func commentedLines(set *token.FileSet, file *ast.File) map[int]bool {
	found := make(map[int]bool)
	for _, group := range file.Comments {
		for _, c := range group.List {
			for n := set.Position(c.Pos()).Line; n <= set.Position(c.End()).Line; n++ {
				found[n] = true
			}
		}
	}

	return found
}

// checkFunc counts the lines of a body, and finds one without paragraphs.
func (r *report) checkFunc(name string, lines []string, commented map[int]bool, set *token.FileSet, f *ast.FuncDecl) {
	if f.Body == nil {
		return
	}

	first := set.Position(f.Body.Lbrace).Line
	last := set.Position(f.Body.Rbrace).Line

	unbroken := 0
	longest := 0
	for n := first + 1; n < last; n++ {
		line := strings.TrimSpace(lines[n-1])
		r.bodyLines++
		switch {
		case line == "":
			r.blankLines++
			unbroken = 0
			continue
		case commented[n] && strings.HasPrefix(line, "//"):
			r.commentLines++
		}

		unbroken++
		longest = max(longest, unbroken)
	}

	if longest > maxUnbroken && longest == last-first-1 {
		r.add(name, first, "%s has %d lines without a blank one: part its steps", f.Name.Name, longest)
	}
}

func countMethod(folder string, f *ast.FuncDecl, sizes map[string]*typeSize) {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return
	}

	of := f.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
			continue
		case *ast.IndexExpr:
			of = t.X
			continue
		case *ast.IndexListExpr:
			of = t.X
			continue
		case *ast.Ident:
			sizeOf(folder+"."+t.Name, sizes).methods++
		}

		return
	}
}

func countFields(name string, set *token.FileSet, d *ast.GenDecl, sizes map[string]*typeSize) {
	for _, s := range d.Specs {
		spec, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}

		size := sizeOf(path.Dir(name)+"."+spec.Name.Name, sizes)
		size.file = name
		size.line = set.Position(spec.Pos()).Line

		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}

		for _, field := range structure.Fields.List {
			size.fields += max(1, len(field.Names))
		}
	}
}

func sizeOf(name string, sizes map[string]*typeSize) *typeSize {
	if sizes[name] == nil {
		sizes[name] = new(typeSize)
	}
	return sizes[name]
}

func (r *report) checkSizes(sizes map[string]*typeSize) {
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		size := sizes[name]
		if size.methods > maxMethods {
			r.add(size.file, size.line, "%s has %d methods, more than %d: find its parts", path.Base(name), size.methods, maxMethods)
		}
		if size.fields > maxFields && !formOfJSON(size.file) {
			r.add(size.file, size.line, "%s has %d fields, more than %d: group them", path.Base(name), size.fields, maxFields)
		}
	}
}

// formOfJSON reports whether a file declares forms whose fields are a promise, and so cannot be
// grouped.
func formOfJSON(file string) bool { return strings.HasPrefix(file, "internal/api/") }

func (r *report) checkShares() {
	if r.bodyLines == 0 {
		return
	}

	if got := share(r.blankLines, r.bodyLines); got < minBlankShare {
		r.findings = append(r.findings, fmt.Sprintf("%.1f %% of the lines in function bodies are blank, less than %.0f %%: part the steps of functions", got, minBlankShare))
	}

	if got := share(r.commentLines, r.bodyLines); got < minCommentShare {
		r.findings = append(r.findings, fmt.Sprintf("%.1f %% of the lines in function bodies are comments, less than %.0f %%: say why", got, minCommentShare))
	}
}
