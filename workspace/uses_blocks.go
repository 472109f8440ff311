package workspace

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var usesSchema = &hcl.BodySchema{Blocks: append(slices.Clone(configSchema.Blocks),
	hcl.BlockHeaderSchema{Type: "action", LabelNames: []string{"type", "name"}},
	hcl.BlockHeaderSchema{Type: "list", LabelNames: []string{"type", "name"}},
	hcl.BlockHeaderSchema{Type: "check", LabelNames: []string{"name"}},
	hcl.BlockHeaderSchema{Type: "removed"},
)}

var checkSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "data", LabelNames: []string{"type", "name"}}}}

// required takes the providers that a file asks for by name.
func (x *usesOf) required(f parsed, declared map[string]bool) {
	content, _, _ := f.body.PartialContent(configSchema)
	for _, b := range content.Blocks {
		if b.Type != "terraform" {
			continue
		}
		inner, _, _ := b.Body.PartialContent(terraformSchema)
		for _, rp := range inner.Blocks {
			if rp.Type != "required_providers" {
				continue
			}
			for _, a := range sortedAttributes(attributes(rp.Body)) {
				declared[a.Name] = true
				x.provider(f.file, a)
			}
		}
	}
}

func (x *usesOf) provider(file string, a *hcl.Attribute) {
	u := Use{Kind: UseProvider, Name: a.Name, File: file, Line: a.Range.Start.Line}
	source, sourced := "hashicorp/"+a.Name, false
	if pairs, diags := hcl.ExprMap(a.Expr); !diags.HasErrors() {
		for _, pair := range pairs {
			key, bad := pair.Key.Value(nil)
			if bad.HasErrors() || !isKnownString(key) {
				continue
			}
			s, literal := literalString(pair.Value)
			switch {
			case key.AsString() == "source" && sourced:
				source = "?" // which of the two counts is not for us to guess
			case key.AsString() == "source" && literal:
				source, sourced = s, true
			case key.AsString() == "source":
				source = "?"
			case key.AsString() == "version" && literal:
				u.Version = s
			}
		}
	} else if s, ok := literalString(a.Expr); ok {
		u.Version = s
	}
	u.Source = providerAddress(source)
	u.Digest = u.Source // another constraint of the same provider is what the lock file decides
	x.add(u)
}

// providerAddress is host/namespace/type.
func providerAddress(source string) string {
	switch strings.Count(source, "/") {
	case 0:
		return "registry.terraform.io/hashicorp/" + source
	case 1:
		return "registry.terraform.io/" + source
	}
	return source
}

// implied is a provider that nobody asked for by name.
func (x *usesOf) implied(name, file string, line int, declared map[string]bool) {
	if name == "terraform" || declared[name] {
		return
	}
	source := providerAddress(name)
	x.add(Use{Kind: UseProvider, Name: name, Source: source, Digest: source, File: file, Line: line})
}

// harmless are blocks that use nothing by themselves.
var harmless = []string{"moved", "import", "//"}

// unknown takes the blocks of a file that nobody here knows.
func (x *usesOf) unknown(f parsed) {
	known := func(name string) bool {
		return slices.Contains(harmless, name) || slices.ContainsFunc(usesSchema.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == name })
	}
	add := func(name string, line int, text string) {
		x.add(Use{Kind: UseUnknown, Name: name, Source: name, Digest: digest(name, text), File: f.file, Line: line})
	}
	if native, ok := f.body.(*hclsyntax.Body); ok {
		for _, b := range native.Blocks {
			if !known(b.Type) {
				add(b.Type, b.TypeRange.Start.Line, string(b.Range().SliceBytes(f.src)))
			}
		}
		return
	}
	_, rest, _ := f.body.PartialContent(usesSchema)
	attrs, _ := rest.JustAttributes()
	for _, a := range sortedAttributes(attrs) {
		if !known(a.Name) {
			add(a.Name, a.NameRange.Start.Line, string(f.src))
		}
	}
}

func (x *usesOf) blocks(dir string, f parsed, declared map[string]bool) {
	x.unknown(f)
	content, _, diags := f.body.PartialContent(usesSchema)
	if diags.HasErrors() {
		x.unread(f.file, diags[0].Subject.Start.Line, "it cannot be understood")
	}
	for _, b := range content.Blocks {
		line := b.DefRange.Start.Line
		switch b.Type {
		case "terraform":
			x.backend(f, b)
		case "provider":
			x.implied(b.Labels[0], f.file, line, declared)
			x.exec(dir, f, b)
		case "module":
			x.call(dir, f, b)
		case "resource":
			x.implied(providerOf(b), f.file, line, declared)
			x.provisioners(dir, f, b, strings.Join(b.Labels, "."))
		case "removed": // its provisioners run when the resource is destroyed
			x.provisioners(dir, f, b, "removed")
		case "check":
			inner, _, _ := b.Body.PartialContent(checkSchema)
			for _, d := range inner.Blocks {
				x.implied(providerOf(d), f.file, d.DefRange.Start.Line, declared)
				x.data(dir, f, d)
			}
		case "data", "ephemeral", "action", "list":
			x.implied(providerOf(b), f.file, line, declared)
			x.data(dir, f, b)
		}
	}
}

// providerOf is the local name of the provider of a resource.
func providerOf(b *hcl.Block) string {
	name, _, _ := strings.Cut(b.Labels[0], "_")
	if a := attributes(b.Body)["provider"]; a != nil {
		if t, diags := hcl.AbsTraversalForExpr(a.Expr); !diags.HasErrors() && !t.IsRelative() {
			return t.RootName()
		}
	}
	return name
}

// encryptionSchema is OpenTofu's.
var encryptionSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "encryption"}}}

func (x *usesOf) backend(f parsed, b *hcl.Block) {
	content, rest, _ := b.Body.PartialContent(terraformSchema)
	if tofu, _, _ := rest.PartialContent(encryptionSchema); tofu != nil {
		for _, inner := range tofu.Blocks { // its keys may come from a program
			x.add(Use{Kind: UseUnknown, Name: inner.Type, Source: inner.Type, Digest: digest(string(textOf(inner, f.src))), File: f.file, Line: inner.DefRange.Start.Line})
		}
	}
	for _, inner := range content.Blocks {
		name := inner.Type
		switch inner.Type {
		case "backend":
			name = inner.Labels[0]
		case "cloud":
		default:
			continue
		}
		// What it is set to may be a secret that somebody has committed: only a digest is kept.
		parts := []string{name, string(textOf(inner, f.src))}
		for _, setting := range x.unit.BackendConfig() {
			if !strings.Contains(setting, "=") { // a file completes the block
				parts = append(parts, x.contentOf(setting)...)
			}
		}
		x.add(Use{Kind: UseBackend, Name: name, Source: name, Digest: digest(parts...), File: f.file, Line: inner.DefRange.Start.Line})
	}
}

func (x *usesOf) call(dir string, f parsed, b *hcl.Block) {
	at := attributes(b.Body)
	u := Use{Kind: UseModule, Name: "module." + b.Labels[0], File: f.file, Line: b.DefRange.Start.Line}
	a := at["source"]
	if a == nil {
		return // of an override file, or Terraform says so
	}
	u.Line = a.Range.Start.Line
	source, literal := literalString(a.Expr)
	if !literal {
		u.Source, u.Digest = "?", x.bodyDigest(dir, f, b, u.Name, nil)
		x.add(u)
		return
	}
	if v := at["version"]; v != nil {
		u.Version, _ = literalString(v.Expr)
	}
	if local, ok := localSource(dir, source); ok {
		if !escapes(local) {
			return // its own files are looked at too
		}
		u.Source, u.Digest = source, source
		x.add(u)
		return
	}
	u.Source, u.Digest = source, digest(source, u.Version)
	x.add(u)
}

var provisionerSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "provisioner", LabelNames: []string{"type"}}}}

func (x *usesOf) provisioners(dir string, f parsed, b *hcl.Block, address string) {
	content, _, diags := b.Body.PartialContent(provisionerSchema)
	if diags.HasErrors() {
		x.unread(f.file, b.DefRange.Start.Line, "its provisioners cannot be understood")
	}
	for _, p := range content.Blocks {
		x.add(Use{
			Kind: UseProvisioner, Name: address + ": " + p.Labels[0], Source: p.Labels[0],
			Digest: x.bodyDigest(dir, f, p, address, b), File: f.file, Line: p.DefRange.Start.Line,
		})
	}
}

// exec is what a provider starts to get its credentials, as those of Kubernetes and Helm do: a command in its block, in what
// the block refers to, or in a file that it reads.
func (x *usesOf) exec(dir string, f parsed, b *hcl.Block) {
	name := b.Labels[0]
	written, files := x.expand(dir, f, b, nil)
	own := string(textOf(b, f.src))
	if _, native := b.Body.(*hclsyntax.Body); !native {
		own += "\n" + unescaped(f.src)
	}
	if !x.startsPrograms(name) { // a variable of another provider's may hold anybody's command
		written = nil
	}
	if !execWord(own) && !slices.ContainsFunc(append(written, files...), execNamed) {
		return
	}
	x.add(Use{Kind: UseExec, Name: "provider." + name, Source: name, Digest: x.bodyDigest(dir, f, b, name, nil), File: f.file, Line: b.DefRange.Start.Line})
}

// startsPrograms tells that a provider is one of those that have a program give them credentials, by its type: its name is the
// module's own, and where several modules have one of that name, one of that type is enough.
func (x *usesOf) startsPrograms(name string) bool {
	return slices.ContainsFunc(x.all, func(u Use) bool {
		kind := path.Base(u.Source)
		return u.Kind == UseProvider && u.Name == name &&
			(slices.Contains([]string{"?", "helm", "argocd", "flux"}, kind) || strings.HasPrefix(kind, "kube") || strings.HasPrefix(kind, "kustomiz"))
	})
}

var execWords = []string{"exec", "credential_process", "command"}

// execWord tells that a provider's configuration names a command to run.
func execWord(text string) bool {
	return slices.ContainsFunc(execWords, func(word string) bool { return strings.Contains(text, word) })
}

// execNamed is the same of a text that is about other things too: a word counts whole.
func execNamed(text string) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if slices.Contains(execWords, word) {
			return true
		}
	}
	return false
}

// unescaped is JSON without escapes in its words; "" where it is none.
func unescaped(src []byte) string {
	var v any
	if json.Unmarshal(src, &v) != nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func (x *usesOf) data(dir string, f parsed, b *hcl.Block) {
	kind := b.Labels[0]
	address := b.Type + "." + strings.Join(b.Labels, ".")
	u := Use{Kind: UseData, Name: address, Source: kind, File: f.file, Line: b.DefRange.Start.Line}
	switch {
	case kind == "terraform_remote_state" && b.Type == "data":
		u.Kind = UseRemoteState
		if a := attributes(b.Body)["backend"]; a != nil {
			u.Source, _ = literalString(a.Expr)
		}
	case b.Type == "data" && !isReading(kind):
		return
	case b.Type == "ephemeral" && !isReading(kind):
		return
	}
	u.Digest = x.bodyDigest(dir, f, b, address, nil)
	x.add(u)
}

func isReading(kind string) bool {
	return slices.ContainsFunc(readingTypes, func(pattern string) bool {
		ok, err := path.Match(pattern, kind)
		return err == nil && ok
	})
}

// bodyDigest stands for a block, for what its expressions come from, and for the files of
// the repository that it names: a command is what the script says that it runs. around is
// the block that it stands in, which self, each and count speak of.
func (x *usesOf) bodyDigest(dir string, f parsed, b *hcl.Block, address string, around *hcl.Block) string {
	written, files := x.expand(dir, f, b, around)
	return digest(slices.Concat([]string{address}, written, files)...)
}

// expand is a block as it is written, with all that its expressions come from, and the files that any of it names: their paths
// and contents in turn.
func (x *usesOf) expand(dir string, f parsed, b *hcl.Block, around *hcl.Block) (written, files []string) {
	written = []string{string(textOf(b, f.src))}
	refs := refsInBlock(b)
	if around != nil && slices.ContainsFunc(refs, ofAround) {
		written = append(written, string(textOf(around, f.src)))
		refs = append(refs, refsInBlock(around)...)
	}
	written = append(written, x.reach(dir, refs)...)
	text := strings.Join(written, "\n")
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`$(){}[];|&<>,=", r) }) {
		word = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(word, "path.module"), "path.root"), "/")
		if word == "" || word == "." {
			continue
		}
		for _, from := range []string{dir, x.root} {
			if p := path.Join(from, word); !escapes(p) {
				files = append(files, x.contentOf(p)...)
			}
		}
	}
	return written, files
}

// refsInBlock are what a block refers to; of JSON the module's files stand for that.
func refsInBlock(b *hcl.Block) []string {
	if body, ok := b.Body.(*hclsyntax.Body); ok {
		return refsOf(body)
	}
	return nil
}

func ofAround(ref string) bool {
	root, _, _ := strings.Cut(ref, ".")
	return root == "self" || root == "each" || root == "count"
}

// contentOf is a file, or every file right in a directory other than the root.
func (x *usesOf) contentOf(p string) (parts []string) {
	files := []string{p}
	if _, ok := x.r.follow(p); !ok {
		if p == "." || p == x.root {
			return nil
		}
		files = x.r.dirs[p]
	}
	for _, file := range files {
		data, err := x.r.read(file)
		if err != nil {
			data = []byte(err.Error())
		}
		parts = append(parts, file, string(data))
	}
	return parts
}

// lock takes what the committed lock file holds providers to.
func (x *usesOf) lock(file string, src []byte) {
	body, diags := parseBody(file, src)
	if diags.HasErrors() || body == nil {
		x.unread(file, 1, "it cannot be parsed")
		return
	}
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for _, b := range native.Blocks {
		if b.Type != "provider" || len(b.Labels) != 1 {
			continue
		}
		u := Use{Kind: UseLocked, Name: b.Labels[0], Source: b.Labels[0], File: file, Line: b.Range().Start.Line}
		at := attributes(b.Body)
		if v := at["version"]; v != nil {
			u.Version, _ = literalString(v.Expr)
		}
		hashes := ""
		if h := at["hashes"]; h != nil {
			hashes = string(h.Expr.Range().SliceBytes(src))
		}
		u.Digest = digest(u.Source, u.Version, hashes)
		x.add(u)
	}
}

// CLIOverrides are the providers that a CLI configuration of Terraform's takes from a
// directory, past every lock file.
func CLIOverrides(file string, src []byte) []Use {
	// The file is in an older syntax than that of the parser, with the same words.
	tokens, _ := hclsyntax.LexConfig(src, file, hcl.InitialPos)
	var all []Use
	for _, token := range tokens {
		if (token.Type == hclsyntax.TokenIdent || token.Type == hclsyntax.TokenQuotedLit) && string(token.Bytes) == "dev_overrides" {
			all = append(all, Use{Kind: UseOverride, Name: "dev_overrides", Source: "dev_overrides", Digest: "dev_overrides", File: file, Line: token.Range.Start.Line})
		}
	}
	return all
}
