"""What `cargo spillway check-deploy` needs Python for: SAM's own translator, CloudFormation's rules, and reading back
what a local server of AWS's API has made.

    templates.py translate BUILT OUT   what CloudFormation gets to see of a template
    templates.py rules                 whether the rules of template.yaml let through what holds, and nothing else
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
from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).resolve().parent

# The stacks inside template.yaml.
STACKS = ["Network", "Secrets", "Nodes", "Cdn", "Observability"]

# What a TLS connection costs the new master after a failover, see shared/sentinel.
CONNECT_MS = 0.72


def read(path):
    return yaml_parse(Path(path).read_text())


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


def of_type(template, kind):
    """Properties of the resources of a type, by their names."""
    resources = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in resources if resource["Type"] == kind}


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


def evaluate(term, values):
    """A rule's function, of those that template.yaml uses."""
    if not isinstance(term, dict):
        return term
    [(name, argument)] = term.items()
    if name == "Ref":
        return str(values[argument])
    if name == "Fn::Not":
        return not evaluate(argument[0], values)
    if name == "Fn::And":
        return all(evaluate(part, values) for part in argument)
    if name == "Fn::Equals":
        left, right = (evaluate(part, values) for part in argument)
        return str(left) == str(right)
    if name == "Fn::Contains":
        return evaluate(argument[1], values) in [str(member) for member in argument[0]]
    raise SystemExit(f"the rules use {name}, which is not evaluated here")


def refused(template, changed):
    """The first description of a rule that refuses these parameters, or None."""
    parameters = template["Parameters"]
    values = {name: parameter.get("Default") for name, parameter in parameters.items()} | changed
    for rule in template["Rules"].values():
        if evaluate(rule.get("RuleCondition", True), values):
            for assertion in rule["Assertions"]:
                if not evaluate(assertion["Assert"], values):
                    return assertion["AssertDescription"]
    return None


def decided(term, template, values):
    """A template's part with every `Fn::If` decided by these parameters."""
    if isinstance(term, list):
        return [decided(part, template, values) for part in term]
    if not isinstance(term, dict):
        return term
    if set(term) == {"Fn::If"}:
        condition, yes, no = term["Fn::If"]
        return decided(yes if evaluate(template["Conditions"][condition], values) else no, template, values)
    return {name: decided(part, template, values) for name, part in term.items()}


def ledger_faults(template):
    """Whoever has to do with the ledger has to do with the restored table where there is one, and with it alone."""
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    users = of_type(template, "AWS::Serverless::Function")
    users = {name: properties for name, properties in users.items() if "Ledger" in json.dumps(properties)}
    users["Observability"] = template["Resources"]["Observability"]["Properties"]
    faults = [] if len(users) == 4 else [f"the ledger is used by {sorted(users)}"]
    for table, other in [("Ledger", "RestoredTable"), ("RestoredTable", "Ledger")]:
        values = defaults | ({"RestoredTable": "restored"} if table == "RestoredTable" else {})
        for name, properties in users.items():
            text = json.dumps(decided(properties, template, values))
            is_used, is_other = (re.search(rf'"Ref": "{each}"|["{{]{each}[.}}"]', text) for each in [table, other])
            if not is_used or is_other:
                faults.append(f"{name} does not use {table} alone")
    return faults


def setting(file, name):
    """A number of a Redis configuration."""
    return int(re.search(rf"^{name} (\d+)$", (INFRA / "redis" / file).read_text(), re.MULTILINE).group(1))


def rules():
    """Every pair of concurrencies: let through where the master can take all of them back, refused where it cannot."""
    template = read(INFRA / "template.yaml")
    down_after_ms = setting("sentinel.conf", "sentinel down-after-milliseconds spillway")
    clients_max = setting("redis.conf", "maxclients")
    functions = of_type(template, "AWS::Serverless::Function")
    uses_redis = {
        name: properties
        for name, properties in functions.items()
        if "REDIS_USERNAME" in properties["Environment"]["Variables"]
    }
    fixed = 0
    for name, properties in uses_redis.items():
        reserved = properties["ReservedConcurrentExecutions"]
        fixed += reserved if isinstance(reserved, int) else 0
    # Those of the old and of the new connections: what vanished stays for a minute.
    most = min(int(down_after_ms / 2 / CONNECT_MS), clients_max // 2) - fixed
    steps = template["Parameters"]["ReserveConcurrency"]["AllowedValues"]
    faults = []
    for reserve in steps:
        for confirm in steps:
            said = refused(template, {"ReserveConcurrency": reserve, "ConfirmConcurrency": confirm})
            if said is None and reserve + confirm > most:
                faults.append(f"reserve {reserve} and confirm {confirm} are let through: {most} are what holds")
            if said is not None and reserve + confirm <= 900:
                faults.append(f"reserve {reserve} and confirm {confirm} are refused: {said}")
    for provisioned in template["Parameters"]["ProvisionedConcurrency"]["AllowedValues"]:
        for concurrency in steps:
            for name in ["ReserveConcurrency", "ConfirmConcurrency"]:
                others = {"ReserveConcurrency": 400, "ConfirmConcurrency": 400, "ProvisionedConcurrency": provisioned}
                said = refused(template, others | {name: concurrency})
                if (said is not None) != (provisioned > concurrency or concurrency + 400 > 900):
                    faults.append(f"{provisioned} ahead with {name} {concurrency}: {said or 'let through'}")
    sizes = {"small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
    for kind in template["Parameters"]["NodeInstanceType"]["AllowedValues"]:
        family, size = kind.split(".")
        architecture = "arm64" if family.endswith("g") else "x86_64"
        if template["Mappings"]["Nodes"].get(kind) != {"Architecture": architecture}:
            faults.append(f"{kind} is {architecture}, which the mapping does not say")
        memory = sizes[size] * (2 if family.startswith("r") else 1)
        for volume in template["Parameters"]["NodeVolumeGiB"]["AllowedValues"]:
            said = refused(template, {"NodeInstanceType": kind, "NodeVolumeGiB": volume})
            if (said is not None) != (volume < 2 * memory):
                faults.append(f"{volume} GiB of disk for {kind} with {memory} of memory: {said or 'let through'}")
    variables = [properties["Environment"]["Variables"] for properties in uses_redis.values()]
    spread_ms = min(each["REDIS_RECONNECT_SPREAD_MS"] for each in variables)
    if spread_ms < (900 + fixed) * CONNECT_MS:
        faults.append(f"a spread of {spread_ms} ms is less than what {900 + fixed} reconnects take")
    keys = {"ShopperJwksUrl": "https://id.example/keys"}
    named = {"ShopperIssuer": "https://id.example", "ShopperAudience": "shop"}
    certificate = {"Certificate": "arn:aws:acm:us-east-1:123456789012:certificate/a"}
    for changed, is_refused in [
        ({}, False),
        (keys, True),
        (keys | {"ShopperIssuer": "https://id.example"}, True),
        (keys | named, False),
        ({"ShopperIssuer": "https://id.example"}, True),
        ({"ShopperAudience": "shop"}, True),
        (certificate, True),
        (certificate | {"PublicUrl": "https://shop.example"}, False),
    ]:
        if (refused(template, changed) is not None) != is_refused:
            faults.append(f"{changed} is {'let through' if is_refused else 'refused'}")
    faults += ledger_faults(template)
    print(f"at most {most} environments of reserve and confirm hold, {fixed} of others; {len(steps) ** 2} pairs tried")
    if faults:
        raise SystemExit("\n".join(faults))


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
