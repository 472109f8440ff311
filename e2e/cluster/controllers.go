package main

import (
	"context"
	"fmt"
	"path/filepath"

	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	manageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// What an API server alone cannot do: empty a namespace that goes away, delete what is owned, and give each namespace
// its default service account, without which no Pod is admitted.
const controllersOfTheAPI = "namespace-controller,garbage-collector-controller,serviceaccount-controller"

// newControllerManager reads the controller manager's flags and returns the function that runs it.
func newControllerManager(files credentials, onlyAPI bool) (func(context.Context) error, error) {
	o, err := manageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, fmt.Errorf("options of the controller manager: %w", err)
	}
	known, disabled, aliases := manager.KnownControllers(), manager.ControllersDisabledByDefault(), manager.ControllerAliases()
	sets := o.Flags(known, disabled, aliases)
	o.ParsedFlags = &sets
	args := []string{
		"--kubeconfig=" + files.kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--service-account-private-key-file=" + files.serviceAccountKey,
		"--root-ca-file=" + files.ca,
		"--flex-volume-plugin-dir=" + filepath.Join(files.dir, "flex"),
		// All controllers share one client here; the default of 20 requests a second is meant for one each.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
	}
	if onlyAPI {
		args = append(args, "--controllers="+controllersOfTheAPI)
	}
	if err := parse(sets, args); err != nil {
		return nil, fmt.Errorf("flags of the controller manager: %w", err)
	}
	return func(ctx context.Context) error {
		config, err := o.Config(ctx, known, disabled, aliases)
		if err != nil {
			return err
		}
		return manager.Run(ctx, config.Complete())
	}, nil
}

// newScheduler reads the scheduler's flags and returns the function that runs it.
func newScheduler(files credentials) (func(context.Context) error, error) {
	o := scheduleroptions.NewOptions()
	err := parse(*o.Flags, []string{"--kubeconfig=" + files.kubeconfig, "--leader-elect=false", "--secure-port=0"})
	if err != nil {
		return nil, fmt.Errorf("flags of the scheduler: %w", err)
	}
	return func(ctx context.Context) error {
		config, sched, err := scheduler.Setup(ctx, o)
		if err != nil {
			return err
		}
		return scheduler.Run(ctx, config, sched)
	}, nil
}
