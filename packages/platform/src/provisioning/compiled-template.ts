import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { checkDraft, type DeviceDraft } from '../registry/device.ts';
import { isObject, type AttributeValue } from '../registry/device-attributes.ts';
import { isWithin, parseGroupPath, ROOT_GROUP } from '../registry/group-path.ts';
import { parameterOf, type Parameters } from './provisioning-payload.ts';
import { SERVER_PARAMETER_PREFIX, type TemplateDefinition } from './template.ts';
import { TemplateText } from './template-text.ts';

/** What a template makes of the parameters of one device. */
export interface FilledTemplate {
  readonly serial: string;
  readonly draft: DeviceDraft & { readonly id: DeviceId; readonly group: string };
  readonly configuration: Readonly<Record<string, AttributeValue>>;
}

type Filler<T> = (values: Parameters) => T;

export const MAX_SERIAL_LENGTH = 128;
const MAX_CONFIGURATION_BYTES = 64 * 1024;
/** What may stand in for a part of a path. */
const PART_OF_PATH = /^[A-Za-z0-9:_.-]{1,64}$/;
// oxlint-disable-next-line no-control-regex -- a serial number is shown to people and written to files: it has none of these
const SERIAL = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,128}$/u;

/** A template, its texts read once. */
export class CompiledTemplate {
  readonly definition: TemplateDefinition;
  /** The node below which all its devices stand. */
  readonly group: string;
  /** Parameters that stand somewhere in it. */
  readonly references: ReadonlySet<string>;
  readonly idParameters: readonly string[];
  readonly #id: TemplateText;
  readonly #name: TemplateText | undefined;
  readonly #group: TemplateText;
  readonly #tags: readonly TemplateText[];
  readonly #attributes: Filler<Readonly<Record<string, AttributeValue>>>;
  readonly #configuration: Filler<Readonly<Record<string, AttributeValue>>>;

  /** @throws SelsynError `request.invalid` */
  constructor(definition: TemplateDefinition) {
    const { device, configuration } = definition;
    const references = new Set<string>([definition.serial]);
    const read = (text: string, field: string): TemplateText => {
      const found = new TemplateText(text, field);
      for (const name of found.parameters) references.add(name);
      return found;
    };
    this.definition = definition;
    this.#id = read(device.id, 'device.id');
    this.idParameters = this.#id.parameters;
    this.#name = device.name === undefined ? undefined : read(device.name, 'device.name');
    this.#group = read(device.group, 'device.group');
    this.#tags = device.tags.map((tag) => read(tag, 'device.tags'));
    this.#attributes = objectFiller(device.attributes, (text) => read(text, 'device.attributes'));
    this.#configuration = objectFiller(configuration, (text) => read(text, 'configuration'));
    this.references = references;
    this.group = constantNode(this.#group);
  }

  /**
   * @param said by the device: names that the template does not know are not looked at, those of the server neither.
   * @param known by the server, as `AWS::IoT::Certificate::CommonName`: it counts more than what the device said.
   * @throws SelsynError `request.invalid`, `device.invalid-id`: what the device said makes no device
   */
  fill(said: Parameters, known: Parameters = NONE): FilledTemplate {
    const values = this.#valuesOf(said, known);
    const serial = values[this.definition.serial] ?? '';
    if (!isSerial(serial))
      throw invalid(this.definition.serial, `a serial number has 1 to ${MAX_SERIAL_LENGTH} printable characters`);
    const id = this.#id.fill(values);
    if (!isDeviceId(id)) {
      throw new SelsynError('device.invalid-id', 'its serial number makes no device id: 1 to 128 of A-Z a-z 0-9 : _ . -', {
        details: { field: this.definition.serial },
      });
    }
    for (const name of this.#group.parameters) {
      if (!PART_OF_PATH.test(values[name] ?? ''))
        throw invalid(name, 'it is to be part of a group: 1 to 64 of A-Z a-z 0-9 : _ . -');
    }
    const group = parseGroupPath(this.#group.fill(values));
    if (!isWithin(group, this.group)) throw invalid('group', `it is outside of ${this.group}`);
    const { type } = this.definition.device;
    const draft = {
      id,
      group,
      ...(this.#name !== undefined && { name: this.#name.fill(values) }),
      ...(type !== undefined && { type }),
      tags: this.#tags.map((tag) => tag.fill(values)),
      attributes: this.#attributes(values),
    };
    checkDraft(draft);
    const configuration = this.#configuration(values);
    if (Buffer.byteLength(JSON.stringify(configuration)) > MAX_CONFIGURATION_BYTES)
      throw invalid('configuration', `it would have more than ${MAX_CONFIGURATION_BYTES} bytes`);
    return { serial, draft, configuration };
  }

  #valuesOf(said: Parameters, known: Parameters): Parameters {
    const values: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [name, { default: byDefault }] of Object.entries(this.definition.parameters)) {
      const isOfServer = name.startsWith(SERVER_PARAMETER_PREFIX);
      const value = parameterOf(known, name) ?? (isOfServer ? undefined : parameterOf(said, name)) ?? byDefault;
      if (value !== undefined) values[name] = value;
      else if (this.references.has(name)) throw invalid(name, 'it is missing');
    }
    return values;
  }
}

/** Control characters, nothing and what is too long is none. */
export function isSerial(text: string): boolean {
  return SERIAL.test(text) && text.isWellFormed();
}

const NONE: Parameters = {};

/** `/acme/${parameters.Site}` stands below `/acme`; so does `/acme/b-${parameters.Building}`. */
function constantNode(group: TemplateText): string {
  if (group.parameters.length === 0) return parseGroupPath(group.fill(NONE));
  const start = group.constantStart;
  const end = start.lastIndexOf('/');
  return end <= 0 ? ROOT_GROUP : parseGroupPath(start.slice(0, end));
}

function objectFiller(
  value: Readonly<Record<string, AttributeValue>>,
  read: (text: string) => TemplateText,
): Filler<Readonly<Record<string, AttributeValue>>> {
  const fields = Object.entries(value).map(([name, item]) => [name, fillerOf(item, read)] as const);
  // Not by assignment: `__proto__` would not become a field.
  return (values) => Object.fromEntries(fields.map(([name, fill]) => [name, fill(values)]));
}

function fillerOf(value: AttributeValue, read: (text: string) => TemplateText): Filler<AttributeValue> {
  if (typeof value === 'string') {
    const text = read(value);
    return (values) => text.fill(values);
  }
  if (Array.isArray(value)) {
    const items = (value as readonly AttributeValue[]).map((item) => fillerOf(item, read));
    return (values) => items.map((fill) => fill(values));
  }
  return isObject(value) ? objectFiller(value, read) : () => value;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
