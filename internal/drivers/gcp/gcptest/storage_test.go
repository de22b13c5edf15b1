package gcptest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/type/expr"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

const project = "acme"

// TestStorage speaks to the server through Google's own client. Each case is one fact about Cloud Storage that the bucket's driver relies on.
func TestStorage(t *testing.T) {
	cases := []struct {
		fact string
		try  func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error
	}{
		{"a new bucket has Google's defaults, in capitals", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			a, err := b.Attrs(ctx)
			if err != nil {
				return err
			}
			if a.Location != "US-CENTRAL1" || a.LocationType != "region" || a.StorageClass != "STANDARD" || a.MetaGeneration != 1 ||
				a.SoftDeletePolicy.RetentionDuration.Hours() != 7*24 || a.PublicAccessPrevention != storage.PublicAccessPreventionInherited ||
				a.ProjectNumber != 123456789012 {
				return fmt.Errorf("got %+v", a)
			}
			return nil
		}},
		{"the name of one's own bucket is taken", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			return answers(http.StatusConflict, b.Create(ctx, project, nil))
		}},
		{"a name that is no name is refused", func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error {
			return answers(http.StatusBadRequest, client(ctx, s).Bucket("My_Bucket").Create(ctx, project, nil))
		}},
		{"soft delete is off or at least 7 days", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			_, err := b.Update(ctx, storage.BucketAttrsToUpdate{SoftDeletePolicy: &storage.SoftDeletePolicy{RetentionDuration: 3600e9}})
			return answers(http.StatusBadRequest, err)
		}},
		{"a patch leaves what it does not name, and null deletes", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			var u storage.BucketAttrsToUpdate
			u.DeleteLabel("a")
			u.SetLabel("c", "3")
			a, err := b.Update(ctx, u)
			if err == nil && (fmt.Sprint(a.Labels) != "map[b:2 c:3]" || !a.VersioningEnabled || a.MetaGeneration != 2) {
				err = fmt.Errorf("got labels %v, versioning %v, metageneration %d", a.Labels, a.VersioningEnabled, a.MetaGeneration)
			}
			return err
		}},
		{"a write that expects another metageneration is refused", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			guarded := b.If(storage.BucketConditions{MetagenerationMatch: 99})
			_, err := guarded.Update(ctx, storage.BucketAttrsToUpdate{VersioningEnabled: false})
			return errors.Join(answers(http.StatusPreconditionFailed, err), answers(http.StatusPreconditionFailed, guarded.Delete(ctx)))
		}},
		{"a policy has the bucket's etag, and a stale one is refused", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			p, err := b.IAM().V3().Policy(ctx)
			if err != nil {
				return err
			}
			if _, err := b.Update(ctx, storage.BucketAttrsToUpdate{VersioningEnabled: false}); err != nil {
				return err
			}
			return answers(http.StatusPreconditionFailed, b.IAM().V3().SetPolicy(ctx, p))
		}},
		{"whoever writes version 1 without an etag drops conditions", func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error {
			if err := grantIf(ctx, b, "user:ada@example.com"); err != nil {
				return err
			}
			p, err := b.IAM().Policy(ctx)
			if err != nil {
				return err
			}
			if slices.Contains(p.Roles(), "roles/storage.objectViewer") {
				return fmt.Errorf("version 1 shows the role of a condition as if it had none: %v", p.Roles())
			}
			p.InternalProto.Etag = nil
			p.InternalProto.Bindings = p.InternalProto.Bindings[:1]
			if err := b.IAM().SetPolicy(ctx, p); err != nil {
				return err
			}
			if got := s.Policy("acme-data").Bindings; len(got) != 1 || got[0].Condition != nil {
				return fmt.Errorf("left: %+v", got)
			}
			return nil
		}},
		{"a principal of a pool that is not there is refused", func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error {
			member := "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/a/sa/b"
			err := grantIf(ctx, b, member)
			s.SetIdentityPool(true)
			return errors.Join(answers(http.StatusBadRequest, err), grantIf(ctx, b, member))
		}},
		{"the public is refused where it is prevented", func(ctx context.Context, _ *gcptest.Server, b *storage.BucketHandle) error {
			if _, err := b.Update(ctx, storage.BucketAttrsToUpdate{PublicAccessPrevention: storage.PublicAccessPreventionEnforced}); err != nil {
				return err
			}
			return answers(http.StatusPreconditionFailed, grantIf(ctx, b, "allUsers"))
		}},
		{"a bucket with a noncurrent version is not empty", func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error {
			w := b.Object("a/b c").NewWriter(ctx)
			w.ChunkSize = 0
			if _, err := w.Write([]byte("hello")); err != nil {
				return err
			}
			if err := errors.Join(w.Close(), b.Object("a/b c").Delete(ctx)); err != nil {
				return err
			}
			if _, err := b.Objects(ctx, nil).Next(); !errors.Is(err, iterator.Done) {
				return fmt.Errorf("a deleted object is listed: %v", err)
			}
			o, err := b.Objects(ctx, &storage.Query{Versions: true}).Next()
			if err != nil || o.Size != 5 {
				return fmt.Errorf("the noncurrent version: %+v, %v", o, err)
			}
			return errors.Join(answers(http.StatusConflict, b.Delete(ctx)), b.Object("a/b c").Generation(o.Generation).Delete(ctx), b.Delete(ctx))
		}},
		{"listings come in pages", func(ctx context.Context, s *gcptest.Server, b *storage.BucketHandle) error {
			s.SetPageSize(2)
			n := 0
			for i := range 5 {
				s.PutObject("acme-data", fmt.Sprint(i), nil)
			}
			for it := b.Objects(ctx, nil); ; n++ {
				if _, err := it.Next(); errors.Is(err, iterator.Done) {
					break
				} else if err != nil {
					return err
				}
			}
			if n != 5 || s.Count("storage.objects.list") != 3 {
				return fmt.Errorf("%d objects in %d pages", n, s.Count("storage.objects.list"))
			}
			return nil
		}},
	}
	for _, c := range cases {
		t.Run(c.fact, func(t *testing.T) {
			s, err := gcptest.New(gcptest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			b := client(t.Context(), s).Bucket("acme-data")
			err = b.Create(t.Context(), project, &storage.BucketAttrs{
				Location: "us-central1", Labels: map[string]string{"a": "1", "b": "2"}, VersioningEnabled: true,
				UniformBucketLevelAccess: storage.UniformBucketLevelAccess{Enabled: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.try(t.Context(), s, b); err != nil {
				t.Fatalf("%s: %v", c.fact, err)
			}
		})
	}
}

func client(ctx context.Context, s *gcptest.Server) *storage.Client {
	opts, err := s.Config().HTTP(ctx, gcp.Storage)
	if err != nil {
		panic(err)
	}
	c, err := storage.NewClient(ctx, opts...)
	if err != nil {
		panic(err)
	}
	c.SetRetry(storage.WithPolicy(storage.RetryNever))
	return c
}

// answers is nil if err is an answer with this status.
func answers(want int, err error) error {
	var g *googleapi.Error
	if errors.As(err, &g) && g.Code == want {
		return nil
	}
	return fmt.Errorf("want %d, got %v", want, err)
}

func grantIf(ctx context.Context, b *storage.BucketHandle, member string) error {
	p, err := b.IAM().V3().Policy(ctx)
	if err != nil {
		return err
	}
	p.Bindings = append(p.Bindings, &iampb.Binding{Role: "roles/storage.objectViewer", Members: []string{member}, Condition: &expr.Expr{Title: "t", Expression: "true"}})
	return b.IAM().V3().SetPolicy(ctx, p)
}
