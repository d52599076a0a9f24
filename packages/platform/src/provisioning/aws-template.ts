import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { DEFAULT_SERIAL_PARAMETER } from './template.ts';
import type { TemplateDraft } from './template-check.ts';

/**
 * Reads an AWS provisioning template (AWS IoT Core developer guide, "Provisioning templates") as one of this platform.
 *
 * Taken: `Parameters` of type String, with a Default or without; one `AWS::IoT::Thing` with ThingName, ThingTypeName,
 * AttributePayload and at most one of ThingGroups (the group `acme` becomes `/acme`); one `AWS::IoT::Certificate` that becomes ACTIVE;
 * `AWS::IoT::Policy` by PolicyName; DeviceConfiguration; texts, `{"Ref": NAME}` and `{"Fn::Join": [SEPARATOR, [...]]}` of these.
 *
 * Refused, with the name of what it is: other functions (Fn::Sub, Fn::Select, Fn::Split, mappings), inline PolicyDocuments (write a
 * policy and name it), BillingGroup, OverrideSettings, several thing groups, certificates that stay inactive, a Ref in a type or a policy.
 *
 * @throws SelsynError `request.invalid`
 */
export function readAwsTemplate(body: unknown): TemplateDraft {
  const parsed = bodySchema.safeParse(typeof body === 'string' ? parseJson(body) : body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw notTaken(issue?.path.join('.') ?? '', issue?.message ?? 'it is no template');
  }
  const { Parameters: parameters, Resources: resources, DeviceConfiguration: configuration = {} } = parsed.data;
  const kinds = sort(resources);
  const readThing = thingSchema.safeParse(kinds.thing);
  if (!readThing.success) throw notTaken('AWS::IoT::Thing', readThing.error.issues[0]?.message ?? 'it is none');
  const thing = readThing.data;
  const groups = thing.ThingGroups ?? [];
  if (groups.length > 1) throw notTaken('ThingGroups', 'a device stands in one group');
  const id = textOf(thing.ThingName, 'ThingName');
  const serial = serialOf(id, Object.keys(parameters));
  return {
    parameters: Object.fromEntries(
      Object.entries(parameters)
        .filter(([name]) => name !== CERTIFICATE_ID)
        .map(([name, parameter]) => [name, parameter.Default === undefined ? {} : { default: parameter.Default }]),
    ),
    serial,
    device: {
      id,
      ...(thing.ThingTypeName !== undefined && { type: constantOf(thing.ThingTypeName, 'ThingTypeName') }),
      group: groups[0] === undefined ? '/' : `/${textOf(groups[0], 'ThingGroups')}`,
      attributes: Object.fromEntries(
        Object.entries(thing.AttributePayload ?? {}).map(([name, value]) => [name, textOf(value, `AttributePayload.${name}`)]),
      ),
    },
    policies: kinds.policies,
    configuration: Object.fromEntries(
      Object.entries(configuration).map(([name, value]) => [
        name,
        isFunction(value) ? textOf(value, `DeviceConfiguration.${name}`) : escaped(value),
      ]),
    ),
  };
}

const CERTIFICATE_ID = 'AWS::IoT::Certificate::Id';

const bodySchema = z.strictObject({
  Parameters: z.record(
    z.string(),
    z.strictObject({ Type: z.literal('String').default('String'), Default: z.string().optional() }),
  ),
  Resources: z.record(
    z.string(),
    z.strictObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()), OverrideSettings: z.never().optional() }),
  ),
  DeviceConfiguration: z.record(z.string(), z.unknown()).optional(),
});

const thingSchema = z.strictObject({
  ThingName: z.unknown(),
  ThingTypeName: z.unknown().optional(),
  ThingGroups: z.array(z.unknown()).optional(),
  AttributePayload: z.record(z.string(), z.unknown()).optional(),
});

type Resources = z.infer<typeof bodySchema>['Resources'];

function sort(resources: Resources): { readonly thing: unknown; readonly policies: string[] } {
  const things: unknown[] = [];
  const policies: string[] = [];
  let certificates = 0;
  for (const [name, { Type: type, Properties: properties }] of Object.entries(resources)) {
    switch (type) {
      case 'AWS::IoT::Thing':
        things.push(properties);
        break;
      case 'AWS::IoT::Certificate':
        certificates++;
        if (!/^active$/i.test(constantOf(properties['Status'] ?? 'ACTIVE', `${name}.Status`)))
          throw notTaken(name, 'the certificate of a device that enrols becomes active');
        break;
      case 'AWS::IoT::Policy':
        if (properties['PolicyDocument'] !== undefined)
          throw notTaken(name, 'write its document as a policy of its own, and name that');
        policies.push(constantOf(properties['PolicyName'], `${name}.PolicyName`));
        break;
      default:
        throw notTaken(name, `there is no ${type.slice(0, 64)} here`);
    }
  }
  if (things.length !== 1) throw notTaken('Resources', 'it needs exactly one AWS::IoT::Thing');
  if (certificates !== 1) throw notTaken('Resources', 'it needs exactly one AWS::IoT::Certificate');
  return { thing: things[0], policies };
}

/** A text of this platform's own form. */
function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return literal(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (isFunction(value)) {
    if ('Ref' in value && typeof value.Ref === 'string') {
      if (value.Ref === CERTIFICATE_ID) throw notTaken(field, `${CERTIFICATE_ID} can only be that of the certificate`);
      return `\${parameters.${value.Ref}}`;
    }
    const join = (value as { readonly 'Fn::Join'?: unknown })['Fn::Join'];
    if (Array.isArray(join) && join.length === 2 && typeof join[0] === 'string' && Array.isArray(join[1])) {
      const [separator, items] = join as [string, readonly unknown[]];
      return items.map((item) => textOf(item, field)).join(literal(separator));
    }
    throw notTaken(field, `${Object.keys(value)[0] ?? 'it'} is not understood: write it with Ref and Fn::Join`);
  }
  throw notTaken(field, 'it is no text, Ref or Fn::Join');
}

function constantOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw notTaken(field, 'it must be a plain text: what a device may do does not hang on what it says');
}

function isFunction(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length === 1 && (names[0] === 'Ref' || names[0]?.startsWith('Fn::') === true);
}

/** A text that means what it says. */
function literal(text: string): string {
  // Not as a text: `$$` in it would stand for one.
  return text.replaceAll('${', () => '$${');
}

/** Plain values of a configuration, whose texts are to mean what they say. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return literal(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, escaped(item)]));
}

/** What the thing is named by; it must be one parameter alone, which is checked with the rest. */
function serialOf(id: string, parameters: readonly string[]): string {
  const named = parameters.find((name) => id.includes(`\${parameters.${name}}`));
  return named ?? DEFAULT_SERIAL_PARAMETER;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SelsynError('request.invalid', 'the AWS template is not taken: it is not JSON', { cause: error });
  }
}

function notTaken(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `the AWS template is not taken: ${field === '' ? '' : `${field}: `}${message}`, {
    details: { field },
  });
}
