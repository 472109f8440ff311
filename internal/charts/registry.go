package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// What Helm calls its parts in a registry: https://helm.sh/docs/topics/registries/
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	chartType    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	maxManifest  = 4 << 20 // bytes, as registries have it
)

// fromRegistry opens the layer that holds the chart, by the OCI distribution specification 1.1.
func (s *Store) fromRegistry(ctx context.Context, u *url.URL, r Ref) (io.ReadCloser, error) {
	base := web(u)
	name := strings.TrimPrefix(u.Path, "/")
	ask := &request{most: maxManifest, accept: manifestType}
	ask.to = base.ResolveReference(&url.URL{Path: "/v2/" + name + "/manifests/" + strings.ReplaceAll(r.Version, "+", "_")}) // as Helm writes tags
	ask.challenged = func(resp *http.Response) (again bool, err error) {
		ask.bearer, err = s.token(ctx, base, name, resp.Header.Get("WWW-Authenticate"))
		return ask.bearer != "", err
	}
	body, err := s.open(ctx, ask)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	has, err := chartLayer(text)
	if err != nil {
		return nil, &Fault{"source", fmt.Errorf("%s in version %s is no Helm chart: %w", r.Source, r.Version, err)}
	}
	if has != r.Digest {
		note := ""
		if sum := sha256.Sum256(text); r.Digest == "sha256:"+hex.EncodeToString(sum[:]) {
			note = " (that one is the digest of the manifest, as `helm push` says it)"
		}
		return nil, &Fault{"digest", fmt.Errorf("%w: the archive of %s in version %s is %s, not %s%s", ErrOtherContent, r.Source, r.Version, has, r.Digest, note)}
	}
	ask.accept, ask.most = chartType+", application/octet-stream", maxArchive
	ask.to = base.ResolveReference(&url.URL{Path: "/v2/" + name + "/blobs/" + has})
	return s.open(ctx, ask)
}

// chartLayer finds the digest of the chart in a manifest.
func chartLayer(text []byte) (string, error) {
	var m struct {
		Layers []struct{ MediaType, Digest string }
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return "", fmt.Errorf("its manifest is not JSON")
	}
	for _, l := range m.Layers {
		if l.MediaType == chartType && digest.MatchString(l.Digest) {
			return l.Digest, nil
		}
	}
	return "", fmt.Errorf("it has no layer of type %s", chartType)
}

var parameter = regexp.MustCompile(`([a-z]+)="([^"]*)"`)

// token gets leave to pull, as the registry asks for it: https://distribution.github.io/distribution/spec/auth/token/.
// "" where it asks for none. Only a host of the allowlist is asked, with its own credentials or none.
func (s *Store) token(ctx context.Context, registry *url.URL, name, challenge string) (string, error) {
	scheme, rest, _ := strings.Cut(challenge, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	at := map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(rest, -1) {
		at[m[1]] = m[2]
	}
	realm, err := url.Parse(at["realm"])
	if err != nil || realm.Host == "" {
		return "", fmt.Errorf("%w: %s asks for a token and does not say from where", ErrUnavailable, registry.Host)
	}
	if !s.allow.reaches(realm) {
		return "", &Fault{"source", fmt.Errorf("%s wants a token from %s://%s, which is %w: allow that host as well in the charts block of the server's configuration", registry.Host, realm.Scheme, realm.Host, ErrNotAllowed)}
	}
	realm.User = nil
	query := realm.Query()
	query.Set("scope", "repository:"+name+":pull")
	if at["service"] != "" {
		query.Set("service", at["service"])
	}
	realm.RawQuery = query.Encode()
	body, err := s.open(ctx, &request{to: realm, most: maxManifest})
	if err != nil {
		return "", err
	}
	defer body.Close()
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxManifest)).Decode(&answer); err != nil {
		return "", fmt.Errorf("%w: the token of %s: %w", ErrUnavailable, realm.Host, err)
	}
	if answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	return answer.Token, nil
}
