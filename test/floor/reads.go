package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/storage"
	"golang.org/x/oauth2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// reads asks Google's services what a pass asks them, and does nothing with the answers: so many rounds, begun every so often, each of
// requests side by side. It takes the cheapest way through Google's libraries: no telemetry, one connection for a service.
func reads(ctx context.Context, args []string) error {
	var r reader
	flags := flag.NewFlagSet("reads", flag.ContinueOnError)
	grpcAddr := flags.String("grpc", "", "host:port of GKE and Artifact Registry")
	storageURL := flags.String("storage", "", "base URL of Cloud Storage")
	tokenFile := flags.String("token", "", "file with the bearer token")
	flags.StringVar(&r.project, "project", "acme", "")
	flags.StringVar(&r.location, "location", "us-central1", "of the repositories")
	buckets := flags.String("bucket-policies", "", "buckets whose access policies are read, with commas")
	repos := flags.String("repository-policies", "", "repositories of which the same is done")
	rounds := flags.Int("rounds", 100, "")
	every := flags.Duration("every", 100*time.Millisecond, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		return err
	}
	r.buckets, r.repositories = named(*buckets), named(*repos)
	if err := r.open(ctx, *grpcAddr, *storageURL, strings.TrimSpace(string(token))); err != nil {
		return err
	}
	return r.rounds(ctx, *rounds, *every)
}

// rounds notes how long one takes. Those in which the connections are made and the heap grows are preparation.
func (r *reader) rounds(ctx context.Context, n int, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	warm := max(10, n/5)
	var wall time.Duration
	for i := range warm + n {
		if i == warm {
			begin(ctx)
			wall = 0
		}
		start := time.Now()
		if err := r.round(ctx); err != nil {
			return err
		}
		wall += time.Since(start)
		<-tick.C
	}
	note(ctx, "rounds", float64(n))
	note(ctx, "wall-ms/round", wall.Seconds()*1000/float64(n))
	return nil
}

func named(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' })
}

// reader has a client for each service.
type reader struct {
	project, location     string
	buckets, repositories []string

	clusters   *container.ClusterManagerClient
	registries *artifactregistry.Client
	storage    *storage.Client
}

func (r *reader) open(ctx context.Context, grpcAddr, storageURL, token string) error {
	rpc := []option.ClientOption{
		option.WithEndpoint(grpcAddr), option.WithoutAuthentication(), option.WithTelemetryDisabled(), option.WithGRPCConnectionPool(1),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithGRPCDialOption(grpc.WithPerRPCCredentials(bearer(token))),
	}
	var errs [3]error
	r.clusters, errs[0] = container.NewClusterManagerClient(ctx, rpc...)
	r.registries, errs[1] = artifactregistry.NewClient(ctx, rpc...)
	client := oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token}))
	r.storage, errs[2] = storage.NewClient(ctx, option.WithEndpoint(storageURL), option.WithHTTPClient(client), option.WithoutAuthentication())
	return errors.Join(errs[:]...)
}

// bearer is a token that is sent in plain text, to this machine.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// round makes the requests of one pass.
func (r *reader) round(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error {
		_, err := r.clusters.ListClusters(ctx, &containerpb.ListClustersRequest{Parent: "projects/" + r.project + "/locations/-"})
		return err
	})
	g.Go(func() error { return drain(r.storage.Buckets(ctx, r.project).Next) })
	for _, b := range r.buckets {
		g.Go(func() error {
			_, err := r.storage.Bucket(b).IAM().V3().Policy(ctx)
			return err
		})
	}
	parent := "projects/" + r.project + "/locations/" + r.location
	g.Go(func() error {
		return drain(r.registries.ListRepositories(ctx, &artifactregistrypb.ListRepositoriesRequest{Parent: parent}).Next)
	})
	for _, name := range r.repositories {
		g.Go(func() error {
			_, err := r.registries.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{
				Resource: parent + "/repositories/" + name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3},
			})
			return err
		})
	}
	return g.Wait()
}

func drain[T any](next func() (T, error)) error {
	for {
		if _, err := next(); errors.Is(err, iterator.Done) {
			return nil
		} else if err != nil {
			return fmt.Errorf("listing: %w", err)
		}
	}
}
