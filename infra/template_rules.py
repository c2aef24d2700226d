"""What `templates.py rules` holds the templates' parameters against: the rules of template.yaml, what Redis can take,
and what samconfig.toml gives them.
"""

import json
import re
import tomllib
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).resolve().parent

# What a TLS connection costs the new master after a failover, see shared/sentinel.
CONNECT_MS = 0.72


def read(path):
    return yaml_parse(Path(path).read_text())


def of_type(template, kind):
    """Properties of the resources of a type, by their names."""
    resources = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in resources if resource["Type"] == kind}


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
    """Where there is a restored table, functions, alarms and dashboard go by it, and roles reach it; else nobody does."""
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    functions = of_type(template, "AWS::Serverless::Function").items()
    users = {name: each for name, each in functions if "LEDGER_TABLE" in each["Environment"]["Variables"]}
    faults = [] if len(users) == 3 else [f"the ledger is used by {sorted(users)}"]
    restored = re.compile(r'"Ref": "RestoredTable"|\$\{RestoredTable\}')
    for table in ["Ledger", "RestoredTable"]:
        values = defaults | ({"RestoredTable": "restored"} if table == "RestoredTable" else {})
        told = {"Observability": template["Resources"]["Observability"]["Properties"]["Parameters"]["LedgerTable"]}
        told |= {name: each["Environment"]["Variables"]["LEDGER_TABLE"] for name, each in users.items()}
        wrong = [name for name, term in told.items() if decided(term, template, values) != {"Ref": table}]
        faults += [f"{name} does not go by {table}" for name in wrong]
        for name, each in users.items():
            for statement in decided(each["Policies"], template, values)[0]["Statement"]:
                text = json.dumps(statement)
                if "dynamodb:" in text and bool(restored.search(text)) != (table == "RestoredTable"):
                    faults.append(f"the role of {name} with {table}: {text}")
    return faults


def value_fault(name, parameter, value):
    """What is wrong with a parameter's value, or None."""
    allowed = [str(each) for each in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"{name} is {value}, which is none of {', '.join(allowed)}"
    if not re.search(parameter.get("AllowedPattern", ""), value):
        return f"{name} is {value}, which is not {parameter['AllowedPattern']}"
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", float("inf"))
        if not value.isdigit() or not least <= int(value) <= most:
            return f"{name} is {value}, which is no number from {least} to {most}"
    return None


def config_faults(config):
    """Whether each environment of samconfig.toml deploys what is built, with parameters that its template takes."""
    faults = []
    for environment, commands in config.items():
        options = {name: command["parameters"] for name, command in commands.items()}
        is_built = "build" in options
        # With a template of its own `sam deploy` would upload the whole checkout instead of what `sam build` has made.
        named = {name for name, option in options.items() if "template_file" in option}
        if named != ({"build", "validate"} if is_built else {"deploy"}):
            faults.append(f"{environment}: the template is named for {', '.join(sorted(named))}")
        if any("parameter_overrides" in option for name, option in options.items() if name != "global"):
            faults.append(f"{environment}: sam build and sam deploy have parameters of their own")
        template = read(INFRA.parent / options["build" if is_built else "deploy"]["template_file"])
        given = dict(each.split("=", 1) for each in options["global"].get("parameter_overrides", []))
        for name, value in given.items():
            parameter = template["Parameters"].get(name)
            fault = value_fault(name, parameter, value) if parameter else f"there is no parameter {name}"
            faults += [f"{environment}: {fault}"] if fault else []
        missing = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter} - set(given)
        faults += [f"{environment}: {name} has no value" for name in sorted(missing)]
        said = refused(template, given) if "Rules" in template else None
        faults += [f"{environment}: {said}"] if said else []
    return faults


def samconfig_faults():
    """What is wrong with samconfig.toml, and which wrong ones would go unseen."""
    text = (INFRA.parent / "samconfig.toml").read_text()
    load = lambda changed: {name: value for name, value in tomllib.loads(changed).items() if name != "version"}
    faults = config_faults(load(text))
    for right, wrong in [
        ('"NodeVolumeGiB=8"', '"NodeVolumeGiB=9"'),
        ('"NodeInstanceType=t4g.small"', '"NodeInstanceType=m7g.large"'),
        ('"ReserveConcurrency=20"', '"ReserveConcurency=20"'),
        ('"ProvisionedConcurrency=0"', '"ProvisionedConcurrency=400"'),
        ('"OriginShield=eu-west-1"', '"OriginShield=Ireland"'),
        ('"Repository=ORGANISATION/REPOSITORY"', ""),
        ('stack_name = "spillway"', 'stack_name = "spillway"\ntemplate_file = "infra/template.yaml"'),
    ]:
        if text.count(right) != 1 or not config_faults(load(text.replace(right, wrong))):
            faults.append(f"samconfig.toml with {wrong} instead of {right} is not found out")
    return faults


def setting(file, name):
    """A number of a Redis configuration."""
    return int(re.search(rf"^{name} (\d+)$", (INFRA / "redis" / file).read_text(), re.MULTILINE).group(1))


# Of the 1,000 concurrent executions that an account has at first, those that may be reserved.
RESERVABLE = 900


def account_faults(template):
    """Whether docs/aws.md says what such an account has room for."""
    functions = of_type(template, "AWS::Serverless::Function").values()
    reserved = [properties["ReservedConcurrentExecutions"] for properties in functions]
    others = sum(each for each in reserved if isinstance(each, int))
    chosen = [each["Ref"] for each in reserved if not isinstance(each, int)]
    config = tomllib.loads((INFRA.parent / "samconfig.toml").read_text())

    def needed(environment):
        given = dict(each.split("=", 1) for each in config[environment]["global"]["parameters"]["parameter_overrides"])
        return others + sum(int(given.get(name, template["Parameters"][name]["Default"])) for name in chosen)

    prod, dev = needed("prod"), needed("default")
    beside = "but not for" if prod + dev > RESERVABLE else "and for"
    room = (RESERVABLE - others) // 100 * 100
    right = (
        f"has {RESERVABLE} to reserve, of which {others} are for the other functions: there is room for {room} of them, "
        f"{beside} prod ({prod} in all) and dev ({dev}) beside each other."
    )
    return [] if right in (INFRA.parent / "docs" / "aws.md").read_text() else [f'docs/aws.md does not say "{right}"']


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
        if template["Mappings"]["NodeTypes"].get(kind) != {"Architecture": architecture}:
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
    faults += ledger_faults(template) + account_faults(template) + samconfig_faults()
    print(f"at most {most} environments of reserve and confirm hold, {fixed} of others; {len(steps) ** 2} pairs tried")
    if faults:
        raise SystemExit("\n".join(faults))
