// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/validate"
)

// target is what the user named: a repository and, where an object reads one, an
// image.
type target struct {
	ecrlayer.Repository
	image ecrlayer.ImageReference
	// fromURI is whether all of it came from the argument image.
	fromURI bool
}

// target returns what the arguments name, and sets those that are parts of a URI.
func (a *arguments) target() (target, error) {
	if a.Image.IsNull() {
		return target{Repository: ecrlayer.Repository{Name: a.RepositoryName.ValueString(), RegistryID: a.RegistryID.ValueString(), Region: a.Region.ValueString()}}, nil
	}
	uri, err := ecrlayer.ParseImageURI(a.Image.ValueString())
	if err != nil {
		return target{}, err
	}
	a.RepositoryName, a.RegistryID, a.Region = types.StringValue(uri.RepositoryName), types.StringValue(uri.RegistryID), types.StringValue(uri.Region)
	return target{
		Repository: ecrlayer.Repository{Name: uri.RepositoryName, RegistryID: uri.RegistryID, Region: uri.Region},
		image:      ecrlayer.ImageReference{Tag: uri.Tag, Digest: uri.Digest},
		fromURI:    true,
	}, nil
}

func (a *imageArguments) target() (target, error) {
	t, err := a.arguments.target()
	if t.fromURI {
		a.ImageTag, a.ImageDigest = stringOrNull(t.image.Tag), stringOrNull(t.image.Digest.String())
	}
	t.image = ecrlayer.ImageReference{Tag: a.ImageTag.ValueString(), Digest: digest.Digest(a.ImageDigest.ValueString())}
	return t, err
}

// partsOfURI are the arguments that a URI has, and what they are called in it.
var partsOfURI = map[string]string{
	"repository_name": "the repository in image", "registry_id": "the account in image", "region": "the region in image",
	"image_tag": "the tag in image", "image_digest": "the digest in image",
}

// at returns the argument that a part of the target came from.
func (t target) at(argument string) path.Path {
	if t.fromURI && partsOfURI[argument] != "" {
		return path.Root("image")
	}
	return path.Root(argument)
}

// words returns what an advice calls an argument.
func (t target) words(argument string) string {
	if t.fromURI && partsOfURI[argument] != "" {
		return partsOfURI[argument]
	}
	return argument
}

var (
	repositoryName = validate.String{Summary: "Invalid repository name", Check: checkRepositoryName}
	imageTag       = validate.String{Summary: "Invalid image tag", Check: checkImageTag}
	imageURI       = validate.String{Summary: "Invalid image", Check: checkImageURI}
)

// checkRepositoryName rejects names that begin with an ECR registry host: ECR's
// grammar allows them, but they are always a mistake.
func checkRepositoryName(name string) error {
	if named := inARN(name); named != "" {
		return errors.New("must not be an ARN: set " + named)
	}
	rest := withoutScheme(name)
	host, _, _ := strings.Cut(rest, "/")
	_, err := ecrlayer.ParseImageURI(rest)
	switch repository, tag, hasTag := strings.Cut(rest, ":"); {
	case err == nil:
		return fmt.Errorf("must not include the registry host: set image = %q in place of repository_name", rest)
	case strings.Contains(host, ".dkr.ecr"), strings.Contains(host, ".dkr-ecr"), host == "public.ecr.aws", host == "ecr-public.aws.com":
		return fmt.Errorf("must be the name of a repository in a private registry, without the registry host: %w", err)
	case hasTag && ecrlayer.ValidateRepositoryName(repository) == nil && ecrlayer.ValidateImageTag(tag) == nil:
		return fmt.Errorf("must not include a tag: set repository_name = %q and, where an image is read, image_tag = %q", repository, tag)
	}
	return ecrlayer.ValidateRepositoryName(name)
}

func checkImageTag(tag string) error {
	if _, err := ecrlayer.ParseLayerDigest(tag); err == nil {
		return fmt.Errorf("must not be a digest: set image_digest = %q", tag)
	}
	if replaced := strings.ReplaceAll(tag, "+", "_"); replaced != tag && ecrlayer.ValidateImageTag(replaced) == nil {
		return fmt.Errorf("must not contain +, which Helm replaces with _ when it pushes a chart: set image_tag = %q", replaced)
	}
	return ecrlayer.ValidateImageTag(tag)
}

func checkImageURI(uri string) error {
	_, err := ecrlayer.ParseImageURI(uri)
	if err == nil {
		return nil
	}
	rest := withoutScheme(uri)
	replaced := strings.ReplaceAll(rest, "+", "_")
	switch _, replacedErr := ecrlayer.ParseImageURI(replaced); {
	case inARN(uri) != "":
		return errors.New("must not be an ARN: in place of it, set " + inARN(uri))
	case replacedErr == nil && replaced != rest:
		return fmt.Errorf("must not contain +, which Helm replaces with _ when it pushes a chart: use %q", replaced)
	case replacedErr == nil:
		return fmt.Errorf("must not have a scheme: use %q", rest)
	}
	return fmt.Errorf("must be the URI of an image in a private ECR registry: %w", err)
}

func withoutScheme(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		return rest
	}
	return s
}

// inARN returns the arguments to set if s is the ARN of a repository, as
// containerd's resolver for ECR also writes it: after a host, with a tag or digest.
func inARN(s string) string {
	parsed, err := arn.Parse(strings.TrimPrefix(withoutScheme(s), "ecr.aws/"))
	named, ok := strings.CutPrefix(parsed.Resource, "repository/")
	if err != nil || parsed.Service != "ecr" || !ok {
		return ""
	}
	named, imageDigest, _ := strings.Cut(named, "@")
	named, tag, _ := strings.Cut(named, ":")
	arguments := fmt.Sprintf("repository_name = %q, registry_id = %q, region = %q", named, parsed.AccountID, parsed.Region)
	if tag != "" {
		arguments += fmt.Sprintf(", image_tag = %q", tag)
	}
	if imageDigest != "" {
		arguments += fmt.Sprintf(", image_digest = %q", imageDigest)
	}
	return arguments
}

// namesImage is a validator for URIs that must have a tag or a digest, unless the
// attribute with this name is set.
type namesImage struct{ unless string }

func (v namesImage) Description(context.Context) string             { return "requires a tag or a digest" }
func (v namesImage) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v namesImage) ValidateString(ctx context.Context, request validator.StringRequest, response *validator.StringResponse) {
	uri, err := ecrlayer.ParseImageURI(request.ConfigValue.ValueString())
	if err != nil || uri.Tag != "" || uri.Digest != "" {
		return
	}
	var layers types.List
	if v.unless != "" {
		response.Diagnostics.Append(request.Config.GetAttribute(ctx, path.Root(v.unless), &layers)...)
	}
	if layers.IsNull() {
		response.Diagnostics.AddAttributeError(request.Path, "Invalid image",
			fmt.Sprintf("image must have a tag or a digest, such as %[1]s:latest, got %[1]q.", request.ConfigValue.ValueString()))
	}
}
