package k8s

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// opened is a file as kustomize may read it: decrypted when SOPS encrypted it, whatever its format. What was
// secret in it is looked for in everything that kustomize builds.
func (t *tree) opened(name string, data []byte) ([]byte, *SourceError) {
	if !bytes.Contains(data, []byte(sopsKey)) {
		return data, nil
	}
	if bytes.Contains(data, []byte("\nsops_mac=")) {
		return nil, &SourceError{File: name, Message: "encrypted with SOPS as a dotenv file, which is not supported; encrypt it as YAML, or as a file of its own for each value"}
	}
	binary := !isManifestName(path.Base(name))
	parseAs := parseNodes
	if binary {
		if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			return data, nil
		}
		parseAs = parseJSON
	}
	nodes, fault := parseAs(name, data)
	if fault != nil {
		return data, nil // kustomize says what is wrong with it, if it is to be YAML at all
	}
	secret, fault := unseal(name, nodes, t.src.Keys)
	if fault != nil || secret == nil {
		return data, fault
	}
	for _, n := range nodes {
		if fault := t.noteSecrets(name, n, secret); fault != nil {
			return nil, fault
		}
	}
	if binary {
		return []byte(scalarAt(nodes[0], "data")), nil
	}
	return encodeNodes(name, nodes)
}

// noteSecrets keeps what was secret in a document: of a Secret its data, of a file that is no manifest all.
func (t *tree) noteSecrets(file string, doc *yaml.Node, secret map[*yaml.Node]bool) *SourceError {
	kind, what := scalarAt(doc, "kind"), "a value of "+file
	isSecret := kind == "Secret" && scalarAt(doc, "apiVersion") == "v1"
	var fault *SourceError
	var walk func(n *yaml.Node, at []string)
	walk = func(n *yaml.Node, at []string) {
		for i, child := range n.Content {
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 0:
			case n.Kind == yaml.MappingNode:
				walk(child, append(at, n.Content[i-1].Value))
			default:
				walk(child, at)
			}
		}
		switch {
		case !secret[n]:
		case isSecret && (len(at) == 0 || at[0] != "data" && at[0] != "stringData"):
		case kind != "" && !isSecret && fault == nil:
			fault = &SourceError{File: file, Line: n.Line, Message: secretOnly(kind)}
		default:
			t.hidden.add(what, n.Value)
			if plain, err := base64.StdEncoding.DecodeString(n.Value); err == nil && isSecret && at[0] == "data" {
				t.hidden.add(what, string(plain))
			}
		}
	}
	walk(doc, nil)
	return fault
}

// secretOnly says why a value of an encrypted file may not stand in an object of the kind.
func secretOnly(kind string) string {
	return "the file is encrypted and this value of a " + kind + " would be shown: only a Secret may hold it. Keep the " + kind +
		" in a file of its own, or encrypt with --encrypted-regex so that only the Secret is encrypted"
}

// encodeNodes writes documents in the format that a file's name promises.
func encodeNodes(name string, nodes []*yaml.Node) ([]byte, *SourceError) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	for _, n := range nodes {
		var err error
		if strings.EqualFold(path.Ext(name), ".json") {
			var text []byte
			c := &converter{document: document{typed: true}, open: map[*yaml.Node]bool{}}
			text, err = json.MarshalIndent(c.convert(n), "", "  ")
			out.Write(append(text, '\n'))
		} else {
			err = enc.Encode(n)
		}
		if err != nil {
			return nil, &SourceError{File: name, Message: "write what was decrypted: " + firstLine(err)}
		}
	}
	return out.Bytes(), nil
}
