package gcptest

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// repoOp is an operation on a repository.
type repoOp struct {
	pb     *longrunningpb.Operation
	on     string // the repository's full name
	due    time.Time
	finish func() (proto.Message, error)
}

// operations answers for the operations of Artifact Registry.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	a *artifacts
}

func registerOperations(g *grpc.Server, a *artifacts) {
	longrunningpb.RegisterOperationsServer(g, &operations{a: a})
}

func (a *artifacts) CreateRepository(ctx context.Context, q *artifactregistrypb.CreateRepositoryRequest) (*longrunningpb.Operation, error) {
	var out *longrunningpb.Operation
	name := q.GetParent() + "/repositories/" + q.GetRepositoryId()
	err := a.call(ctx, "CreateRepository", name, true, func() error {
		if err := a.at(q.GetParent()); err != nil {
			return err
		}
		if !repositoryIDs.MatchString(q.GetRepositoryId()) {
			return status.Errorf(codes.InvalidArgument, "repository_id %q is invalid", q.GetRepositoryId())
		}
		if q.GetRepository().GetFormat() == artifactregistrypb.Repository_FORMAT_UNSPECIFIED {
			return status.Error(codes.InvalidArgument, "format must be specified")
		}
		if err := checkRepository(q.GetRepository()); err != nil {
			return err
		}
		if _, ok := a.s.repos[name]; ok || a.s.repoBusy(name) {
			return status.Error(codes.AlreadyExists, "the repository already exists")
		}
		made := a.s.newRepository(name, q.GetRepository())
		out = a.s.beginRepo(name, func() (proto.Message, error) {
			if len(a.s.repoErrors) > 0 {
				text := a.s.repoErrors[0]
				a.s.repoErrors = a.s.repoErrors[1:]
				return nil, status.Error(codes.Internal, text)
			}
			a.s.repos[name] = &repository{pb: made}
			return proto.CloneOf(made), nil
		})
		return nil
	})
	return out, err
}

func (a *artifacts) DeleteRepository(ctx context.Context, q *artifactregistrypb.DeleteRepositoryRequest) (*longrunningpb.Operation, error) {
	var out *longrunningpb.Operation
	err := a.call(ctx, "DeleteRepository", q.GetName(), true, func() error {
		if _, err := a.find(q.GetName()); err != nil {
			return err
		}
		if a.s.repoBusy(q.GetName()) {
			return status.Errorf(codes.FailedPrecondition, "The repository %s is being deleted.", path.Base(q.GetName()))
		}
		out = a.s.beginRepo(q.GetName(), func() (proto.Message, error) {
			delete(a.s.repos, q.GetName())
			return &emptypb.Empty{}, nil
		})
		return nil
	})
	return out, err
}

// RepositoryError has the next creation of a repository be accepted and end in this error.
func (s *Server) RepositoryError(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repoErrors = append(s.repoErrors, text)
}

func (s *Server) repoBusy(name string) bool {
	for _, op := range s.repoOps {
		if op.on == name && !op.pb.Done {
			return true
		}
	}
	return false
}

func (s *Server) beginRepo(name string, finish func() (proto.Message, error)) *longrunningpb.Operation {
	meta, err := anypb.New(&artifactregistrypb.OperationMetadata{})
	if err != nil {
		panic(err) // a message of ours that cannot be packed
	}
	op := &repoOp{on: name, due: time.Now().Add(s.delay), finish: finish, pb: &longrunningpb.Operation{
		Name: fmt.Sprintf("%s/operations/%08x-repo", path.Dir(path.Dir(name)), s.next()), Metadata: meta,
	}}
	s.repoOps[op.pb.Name] = op
	return proto.CloneOf(op.pb)
}

func (s *Server) settleRepositories(now time.Time) {
	var due []*repoOp
	for _, op := range s.repoOps {
		if !op.pb.Done && !op.due.After(now) {
			due = append(due, op)
		}
	}
	slices.SortFunc(due, func(a, b *repoOp) int { return cmp.Or(a.due.Compare(b.due), strings.Compare(a.pb.Name, b.pb.Name)) })
	for _, op := range due {
		result, err := op.finish()
		op.pb.Done = true
		if err != nil {
			op.pb.Result = &longrunningpb.Operation_Error{Error: &rpcstatus.Status{Code: int32(status.Code(err)), Message: status.Convert(err).Message()}}
			continue
		}
		packed, err := anypb.New(result)
		if err != nil {
			panic(err) // a message of ours that cannot be packed
		}
		op.pb.Result = &longrunningpb.Operation_Response{Response: packed}
	}
}

func (o *operations) GetOperation(ctx context.Context, q *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	var out *longrunningpb.Operation
	err := o.a.call(ctx, "GetOperation", q.GetName(), false, func() error {
		op, ok := o.a.s.repoOps[q.GetName()]
		if !ok {
			return status.Error(codes.NotFound, "Requested entity was not found.")
		}
		out = proto.CloneOf(op.pb)
		return nil
	})
	return out, err
}

// AddRepository puts a repository there that somebody else made.
func (s *Server) AddRepository(location, id string, r *artifactregistrypb.Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := "projects/" + s.project + "/locations/" + location + "/repositories/" + id
	pb := s.newRepository(name, r)
	pb.CreateTime = timestamppb.Now()
	s.repos[name] = &repository{pb: pb}
}
