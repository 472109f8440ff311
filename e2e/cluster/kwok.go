package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/client/clientset/versioned"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	kwokclient "sigs.k8s.io/kwok/pkg/utils/client"
)

//go:embed stages.yaml
var stagesYAML string

// runKwok plays the kubelet of every node, as stages.yaml says, until ctx ends.
func runKwok(ctx context.Context, kubeconfig string, log io.Writer) error {
	ctx = kwoklog.NewContext(ctx, kwoklog.NewLogger(log, slog.LevelWarn))
	stages, err := parseStages(stagesYAML)
	if err != nil {
		return err
	}
	set, err := kwokclient.NewClientset("", kubeconfig)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	restConfig, err := set.ToRESTConfig()
	if err != nil {
		return err
	}
	dynamicClient, err := set.ToDynamicClient()
	if err != nil {
		return err
	}
	mapper, err := set.ToRESTMapper()
	if err != nil {
		return err
	}
	restClient, err := rest.RESTClientFor(restConfig)
	if err != nil {
		return err
	}
	typed, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	typedKwok, err := versioned.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	defaults := config.GetKwokConfiguration(ctx).Options
	kwok, err := controllers.NewController(controllers.Config{
		Clock:                           clock.RealClock{},
		DynamicClient:                   dynamicClient,
		RESTClient:                      restClient,
		RESTMapper:                      mapper,
		ImpersonatingDynamicClient:      set.ToImpersonatingDynamicClient(),
		ImpersonatingTypedClient:        set.ToImpersonatingTypedClient(),
		TypedClient:                     typed,
		TypedKwokClient:                 typedKwok,
		ManageAllNodes:                  true,
		CIDR:                            defaults.CIDR,
		NodeIP:                          "10.0.0.1",
		LocalStages:                     stages,
		PodPlayStageParallelism:         defaults.PodPlayStageParallelism,
		NodePlayStageParallelism:        defaults.NodePlayStageParallelism,
		NodeLeaseParallelism:            defaults.NodeLeaseParallelism,
		NodeLeaseDurationSeconds:        defaults.NodeLeaseDurationSeconds,
		PodsOnNodeSyncParallelism:       defaults.PodsOnNodeSyncParallelism,
		EnablePodsOnNodeSyncListPager:   defaults.EnablePodsOnNodeSyncListPager,
		EnablePodsOnNodeSyncStreamWatch: defaults.EnablePodsOnNodeSyncStreamWatch,
		ID:                              contextName,
	})
	if err != nil {
		return err
	}
	if err := kwok.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// parseStages reads a stream of Stage documents and groups them by the kind they are for.
func parseStages(yaml string) (map[internalversion.StageResourceRef][]*internalversion.Stage, error) {
	stages := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for i, document := range strings.Split(yaml, "\n---\n") {
		stage, err := config.UnmarshalWithType[*internalversion.Stage](document)
		if err != nil {
			return nil, fmt.Errorf("stage %d of stages.yaml: %w", i+1, err)
		}
		stages[stage.Spec.ResourceRef] = append(stages[stage.Spec.ResourceRef], stage)
	}
	return stages, nil
}
