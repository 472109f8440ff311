package forge

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// person is an account as it stands in other answers; a deleted one is null.
func (f *fakeGitHub) person(id int64) any {
	if u := f.users[id]; u != nil {
		return map[string]any{"id": u.id, "login": u.login, "type": "User"}
	}
	return nil
}

type route func(pattern string, h http.HandlerFunc)

func (f *fakeGitHub) peopleRoutes(on route) {
	on("GET /user", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		if f.app != nil {
			f.fail(w, r, http.StatusForbidden, "Resource not accessible by integration")
			return
		}
		f.answer(w, r, 200, f.person(f.bot))
	})
	on("GET /user/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answerPerson(w, r, f.users[int64(f.number(r, r.PathValue("id")))])
	})
	on("GET /users/{login}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answerPerson(w, r, f.byLogin(r.PathValue("login")))
	})
	on("GET /repos/{owner}/{repo}/collaborators/{login}/permission", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		u := f.byLogin(r.PathValue("login"))
		if u == nil {
			f.fail(w, r, http.StatusNotFound, r.PathValue("login")+" is not a user")
			return
		}
		f.answer(w, r, 200, map[string]any{"permission": u.permission.String(), "role_name": u.permission.String(), "user": f.person(u.id)})
	})
	on("GET /orgs/{org}/teams/{slug}/members", func(w http.ResponseWriter, r *http.Request) {
		f.query(r, "role", "page", "per_page")
		ids, ok := f.teams[r.PathValue("org")+"/"+r.PathValue("slug")]
		if !ok {
			f.fail(w, r, http.StatusNotFound, "Not Found")
			return
		}
		all := []any{}
		for _, id := range ids {
			all = append(all, f.person(id))
		}
		list(f, w, r, all)
	})
}

func (f *fakeGitHub) answerPerson(w http.ResponseWriter, r *http.Request, u *fakeUser) {
	if u == nil {
		f.fail(w, r, http.StatusNotFound, "Not Found")
		return
	}
	f.answer(w, r, 200, f.person(u.id))
}

// fakeApp is a GitHub App that is installed in the organization.
type fakeApp struct {
	id, installation int64
	key              *rsa.PrivateKey
	tokens           map[string]time.Time // and when they end
	given            int
}

func newFakeApp(t *testing.T, f *fakeGitHub) *fakeApp {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.app = &fakeApp{id: 4141, installation: 99, key: key, tokens: map[string]time.Time{}}
	f.users[f.bot].login = "mooring-acme[bot]"
	return f.app
}

func (a *fakeApp) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
}

// check says why GitHub would not take the JWT of a request; "" takes it.
func (a *fakeApp) check(f *fakeGitHub, r *http.Request) string {
	word, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(word, ".")
	if !ok || len(parts) != 3 {
		return "A JSON web token could not be decoded"
	}
	var header struct{ Alg, Typ string }
	var claims struct {
		Iat, Exp *int64
		Iss      any
	}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return "A JSON web token could not be decoded"
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	now := f.clock().Unix()
	switch {
	case header.Alg != "RS256" || header.Typ != "JWT":
		return "A JSON web token could not be decoded"
	case err != nil || rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, sum[:], signature) != nil:
		return "A JSON web token could not be decoded"
	case claims.Iss != strconv.FormatInt(a.id, 10):
		return "'Issuer' claim ('iss') must be an Integer or the client id"
	case claims.Iat == nil || *claims.Iat > now:
		return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case claims.Exp == nil || *claims.Exp > now+600:
		return "'Expiration time' claim ('exp') is too far in the future"
	case *claims.Exp <= now:
		return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	}
	return ""
}

// takes is true of a request that carries an installation's token that lives.
func (a *fakeApp) takes(f *fakeGitHub, r *http.Request) bool {
	ends, ok := a.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return ok && f.clock().Before(ends)
}

func (f *fakeGitHub) appRoutes(on route) {
	if f.app == nil {
		return
	}
	on("GET /app", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answer(w, r, 200, map[string]any{"id": f.app.id, "slug": "mooring-acme", "name": "Mooring of Acme"})
	})
	on("GET /repos/{owner}/{repo}/installation", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answer(w, r, 200, map[string]any{"id": f.app.installation, "app_id": f.app.id})
	})
	on("POST /app/installations/{id}/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Repositories []string `json:"repositories"`
		}
		f.read(r, &body)
		if r.PathValue("id") != strconv.FormatInt(f.app.installation, 10) {
			f.fail(w, r, http.StatusNotFound, "Not Found")
			return
		}
		if !slices.Equal(body.Repositories, []string{"infra"}) {
			f.fail(w, r, http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
			return
		}
		f.app.given++
		token := fmt.Sprintf("ghs_fake%d", f.app.given)
		f.app.tokens[token] = f.clock().Add(time.Hour)
		f.answer(w, r, http.StatusCreated, map[string]any{"token": token, "expires_at": f.clock().Add(time.Hour)})
	})
}
