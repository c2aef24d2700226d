"""What `cargo spillway check-deploy` needs Python for: SAM's own translator, CloudFormation's rules, and reading back
what a local server of AWS's API has made.

    templates.py translate BUILT OUT   what CloudFormation gets to see of a template
    templates.py rules                 whether the rules of template.yaml let through what holds, and nothing else, and
                                       whether samconfig.toml says what the templates take
    templates.py deploy TRANSLATED URL FOLDER
                                       `sam deploy` of every stack to the server at this address, and what it has then
"""

import copy
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

from samtranslator.translator.transform import transform

from template_rules import of_type, read, rules

# The stacks inside template.yaml.
STACKS = ["Network", "Secrets", "Nodes", "Cdn", "Observability"]


class Policies:
    """Names of AWS's own policies, which the transform would ask IAM for."""

    def load(self):
        service = "arn:aws:iam::aws:policy/service-role/"
        names = ["AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSCodeDeployRoleForLambda"]
        return {name: service + name for name in names} | {
            "AWSXrayWriteOnlyAccess": "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
        }


def transformed(template, code):
    """The template as CloudFormation's transform makes it, with the code of every function uploaded there."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code
    defaults = {name: value["Default"] for name, value in template["Parameters"].items() if "Default" in value}
    return transform(template, defaults, Policies())


def translate(built, out):
    """Writes the template as CloudFormation's transform would make it, with the code where `sam build` has put it."""
    template = read(built)
    translated = transformed(template, "s3://bucket/key")
    functions = of_type(template, "AWS::Serverless::Function")
    # Changed code is a new version, and the alias is told. A changed parameter is none: hence samconfig.toml is a part
    # of the code.
    changed = transformed(template, "s3://bucket/changed")
    versions, others = (set(of_type(made, "AWS::Lambda::Version")) for made in [translated, changed])
    if len(versions) != len(functions) or versions & others:
        raise SystemExit(f"of {len(functions)} functions {len(versions - others)} have a new version for new code")
    for name, properties in functions.items():
        folder = properties.get("CodeUri") or template["Globals"]["Function"]["CodeUri"]
        translated["Resources"][name]["Properties"]["Code"] = folder
    Path(out).write_text(json.dumps(translated, indent=1))
    print(f"{len(template['Resources'])} resources became {len(translated['Resources'])}")


class Local:
    """A server of AWS's API on this machine, and `sam deploy` to it."""

    def __init__(self, url, folder):
        import boto3

        self.client = lambda service: boto3.client(service, endpoint_url=url)
        self.url = url
        region = self.client("s3").meta.region_name
        self.client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": region})
        # Without the options of samconfig.toml: SAM would make a bucket by a stack, and miss that stack's outputs.
        self.config = Path(folder) / "samconfig-local.toml"
        self.config.write_text("version = 0.1\n")
        self.lines = []

    def deploy(self, name, path, parameters):
        """Runs `sam deploy`, notes what is there afterwards, and gives ids by resource."""
        command = ["sam", "deploy", "--template-file", str(path), "--config-file", str(self.config.resolve())]
        command += ["--stack-name", name, "--s3-bucket", "artifacts", "--no-confirm-changeset"]
        command += ["--capabilities", "CAPABILITY_IAM"]
        if parameters:
            command += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())]
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"AWS_ENDPOINT_URL": self.url})
        if ran.returncode != 0:
            raise SystemExit(f"sam deploy of {name} failed:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
        return self.note(name, name, read(path))

    def note(self, name, stack, template):
        """Notes how much of a stack is there; gives ids by resource."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        ids = {
            summary["LogicalResourceId"]: summary.get("PhysicalResourceId")
            for page in pages
            for summary in page["StackResourceSummaries"]
            if summary["LogicalResourceId"]
        }
        missing = sorted(
            {resource["Type"] for key, resource in template["Resources"].items() if key not in ids}
            - {resource["Type"] for key, resource in template["Resources"].items() if key in ids}
        )
        self.lines.append(f"{name}: {len(ids)} of {len(template['Resources'])} resources are there")
        if missing:
            self.lines.append(f"  the local server does not know: {', '.join(missing)}")
        return ids


def told(template, ids):
    """A stack's outputs, which the local server does not tell: those that are a resource's id."""
    outputs = {name: output["Value"] for name, output in template["Outputs"].items()}
    return {name: ids.get(value["Ref"]) or name for name, value in outputs.items() if set(value) == {"Ref"}}


def without_stacks(term, outputs):
    """A template's part with what the stacks inside it have told instead of their outputs."""
    if isinstance(term, list):
        return [without_stacks(part, outputs) for part in term]
    if not isinstance(term, dict):
        return term
    match term:
        case {"Fn::GetAtt": [stack, str(attribute)]} if attribute.startswith("Outputs."):
            return outputs[stack].get(attribute.removeprefix("Outputs."), "10.20.0.4:26379")
        case {"Fn::Sub": str(text)}:
            replaced = re.sub(r"\$\{(\w+)\.Outputs\.(\w+)\}", lambda found: outputs[found[1]].get(found[2], found[2]), text)
            return {"Fn::Sub": replaced}
    return {name: without_stacks(part, outputs) for name, part in term.items()}


# What the local server does not know and stumbles over where something else refers to it.
UNKNOWN = {"AWS::Lambda::Alias"}


def leave_out(template):
    """Takes what is unknown out of the template, with all that refers to it; gives how many of which kind."""
    resources = template["Resources"]
    left = {name for name, resource in resources.items() if resource["Type"] in UNKNOWN}
    while True:
        marks = [mark for name in left for mark in (f'{{"Ref": "{name}"}}', f'{{"Fn::GetAtt": ["{name}", ', f"${{{name}}}")]
        more = {
            name
            for name, resource in resources.items()
            if name not in left and any(mark in json.dumps(resource) for mark in marks)
        }
        if not more:
            break
        left |= more
    kinds = Counter(resources.pop(name)["Type"] for name in left)
    # Outputs are not told by the local server anyway.
    template.pop("Outputs", None)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def expect(is_so, what):
    if not is_so:
        raise SystemExit(f"the local server has something else than the template says: {what}")


def functions(local, template, ids):
    """Each function as the server has it, against the template."""
    client = local.client("lambda")
    wanted = of_type(template, "AWS::Lambda::Function")
    for name, properties in wanted.items():
        made = client.get_function(FunctionName=ids[name])
        configuration = made["Configuration"]
        expect(configuration["Runtime"] == "provided.al2023", f"{name} runs on {configuration['Runtime']}")
        expect(configuration["CodeSize"] > 100_000, f"{name} has {configuration['CodeSize']} bytes of code")
        expect(configuration["Timeout"] == properties["Timeout"], f"{name} has {configuration['Timeout']} s")
        # What depends on a condition is there only where the condition holds.
        plain = {key for key, value in properties["Environment"]["Variables"].items() if "Fn::If" not in str(value)}
        missing = plain - set(configuration["Environment"]["Variables"])
        expect(not missing, f"{name} lacks {missing}")
    expect(len(wanted) >= 7, f"there are {len(wanted)} functions")
    return [f"  {len(wanted)} functions with their code, time and settings"]


def ledger(local, ids):
    """The table as the server has it."""
    client = local.client("dynamodb")
    table = client.describe_table(TableName=ids["Ledger"])["Table"]
    expect(table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}], "the table's key")
    expect([index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["listing"], "the table's index")
    expect(table["DeletionProtectionEnabled"], "the table's protection")
    backups = client.describe_continuous_backups(TableName=ids["Ledger"])["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    return [f"  the table with its index, protected; point-in-time recovery is {recovery.lower()} here"]


def hosts(local):
    """The hosts' groups and addresses, and the archive that a host fetches."""
    groups = local.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    zones = sorted(zone for group in groups for zone in group["AvailabilityZones"])
    expect(zones == ["eu-west-1a", "eu-west-1b", "eu-west-1c"], f"hosts in {zones}")
    templates = [group["LaunchTemplate"]["LaunchTemplateId"] for group in groups]
    versions = local.client("ec2").describe_launch_template_versions
    interfaces = set()
    for template in templates:
        [version] = versions(LaunchTemplateId=template, Versions=["$Latest"])["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        expect(data["MetadataOptions"]["HttpTokens"] == "required", "hosts whose metadata anybody reads")
        interfaces |= {interface["NetworkInterfaceId"] for interface in data["NetworkInterfaces"]}
    expect(len(interfaces) == 3, f"{len(interfaces)} addresses for three hosts")
    storage, archives = local.client("s3"), []
    for stored in storage.list_objects_v2(Bucket="artifacts")["Contents"]:
        body = storage.get_object(Bucket="artifacts", Key=stored["Key"])["Body"].read()
        if zipfile.is_zipfile(io.BytesIO(body)):
            archives.append({file.filename: file for file in zipfile.ZipFile(io.BytesIO(body)).infolist()})
    [files] = [files for files in archives if "boot" in files]
    needed = ["certificate", "passwords", "redis/start", "redis/notify", "redis/users.acl", "spillway-redis.service"]
    for name in [*needed, "spillway-sentinel.service", "60-spillway.conf", "agent.json", "node.conf", "logrotate.conf"]:
        expect(name in files and files[name].file_size > 0, f"no {name} for hosts")
    return [f"  three hosts in three zones, each with an address of its own, and {len(files)} files for them"]


def deploy(translated, url, folder):
    """Every stack, each by itself: the local server has no outputs of stacks inside a stack."""
    local = Local(url, folder)
    root = read(translated)
    built = Path(translated).parent
    paths = {name: built / root["Resources"][name]["Properties"]["TemplateURL"] for name in STACKS}
    network = local.deploy("network", paths["Network"], {})
    outputs = {"Network": told(read(paths["Network"]), network)}
    secrets = local.deploy("secrets", paths["Secrets"], {"Prefix": "shop"})
    outputs["Secrets"] = told(read(paths["Secrets"]), secrets)
    places = {key: value for key, value in outputs["Network"].items() if key.startswith("Subnet")}
    zones = {f"Zone{number}": f"eu-west-1{zone}" for number, zone in enumerate("abc", start=1)}
    topic = {"AlarmTopic": "arn:aws:sns:eu-west-1:123456789012:alarms"}
    cluster = {"Group": network["NodeGroup"], "SecretsPrefix": "shop", "Authority": "authority"}
    nodes = local.deploy("nodes", paths["Nodes"], places | zones | cluster | topic)
    for number in "123":
        inside = read(paths["Nodes"].parent / f"Node{number}" / "template.yaml")
        local.note(f"node {number}", nodes[f"Node{number}"], inside)
    outputs |= {"Nodes": {}, "Cdn": {}}
    root = without_stacks(root, outputs)
    for name in STACKS:
        del root["Resources"][name]
    left = leave_out(root)
    flat = built / "flat.json"
    flat.write_text(json.dumps(root))
    shop = local.deploy("shop", flat, {})
    local.lines.append(f"  left out, as they need aliases, which it does not know: {left}")
    local.lines += [*functions(local, root, shop), *ledger(local, shop), *hosts(local)]
    print("\n".join(local.lines))


if __name__ == "__main__":
    commands = {"translate": translate, "rules": rules, "deploy": deploy}
    commands[sys.argv[1]](*sys.argv[2:])
