package runner

import "testing"

func TestAUnitUsesTheCredentialsOfTheFirstGroupThatHoldsIt(t *testing.T) {
	o := Options{Credentials: []CredentialGroup{
		{Name: "prod", Repositories: []string{"infra"}, Units: []string{"prod/**", "shared:prod"}},
		{Name: "infra", Repositories: []string{"infra"}},
		{Name: "dev", Units: []string{"dev/*"}},
	}}
	for _, c := range []struct{ repository, unit, want string }{
		{"infra", "prod/net", "prod"},
		{"infra", "prod/a/b", "prod"},
		{"infra", "shared:prod", "prod"},
		{"infra", "shared:dev", "infra"},
		{"apps", "prod/net", ""},
		{"apps", "dev/net", "dev"},
		{"apps", "dev/a/b", ""},
	} {
		if got := o.CredentialsOf(c.repository, c.unit); got != c.want {
			t.Errorf("%s/%s: %q, want %q", c.repository, c.unit, got, c.want)
		}
	}
}
