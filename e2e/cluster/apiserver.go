package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// newAPIServer reads the API server's flags and returns the function that runs it on listener. Its own command is not
// used because that sets up signals, which a process may do only once.
func newAPIServer(files credentials, etcdURL string, listener net.Listener) (func(context.Context) error, error) {
	o := apiserveroptions.NewServerRunOptions()
	err := parse(o.Flags(), []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--cert-dir=" + files.dir,
		"--tls-cert-file=" + files.servingCert,
		"--tls-private-key-file=" + files.servingKey,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--endpoint-reconciler-type=none",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + files.serviceAccountCert,
		"--service-account-signing-key-file=" + files.serviceAccountKey,
		"--token-auth-file=" + files.tokens,
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--profiling=false",
	})
	if err != nil {
		return nil, fmt.Errorf("flags of the API server: %w", err)
	}
	o.SecureServing.Listener = listener
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	return func(ctx context.Context) error {
		completed, err := o.Complete(ctx)
		if err != nil {
			return err
		}
		if errs := completed.Validate(); len(errs) > 0 {
			return utilerrors.NewAggregate(errs)
		}
		return app.Run(ctx, completed)
	}, nil
}

// parse reads a component's flags as its command would.
func parse(sets cliflag.NamedFlagSets, args []string) error {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	return flags.Parse(args)
}
