import type { Command } from 'commander';
import { CliError } from './cli-error.ts';

/** What can be said of a device when it is added and when it is changed. */
export interface DeviceFieldOptions {
  readonly name?: string;
  readonly type?: string;
  readonly group?: string;
  readonly tag?: readonly string[];
  readonly attribute?: readonly string[];
  readonly attributes?: string;
}

export function addDeviceFieldOptions(command: Command): Command {
  return command
    .option('--name <text>', 'a name for people')
    .option('--type <name>', 'its device type')
    .option('--group <path>', 'the group that it stands in, as /acme/building-42')
    .option('--tag <tags...>', 'its tags, all of them')
    .option('--attribute <name=value...>', 'attributes: site=Kiel fw.version=2.1 floor=3; an empty value takes one away')
    .option('--attributes <json>', 'attributes as a JSON object');
}

/** The body of a request. @throws CliError where an attribute is not NAME=VALUE */
export function deviceFieldsOf(options: DeviceFieldOptions): Record<string, unknown> {
  const { name, type, group, tag, attribute = [], attributes } = options;
  const given = attributes === undefined ? {} : parseObject(attributes);
  for (const pair of attribute) setAttribute(given, pair);
  return {
    ...(name !== undefined && { name: name === '' ? null : name }),
    ...(type !== undefined && { type: type === '' ? null : type }),
    ...(group !== undefined && { group }),
    ...(tag !== undefined && { tags: tag.filter((each) => each !== '') }),
    ...((attributes !== undefined || attribute.length > 0) && { attributes: given }),
  };
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below, as for other values that are no object.
  }
  throw new CliError('--attributes takes a JSON object, as \'{"site": "Kiel"}\'');
}

/** `fw.version=2.1` is a text; `floor=3`, `on=true`, `fw.version="2"` are what JSON says they are. */
function setAttribute(attributes: Record<string, unknown>, pair: string): void {
  const at = pair.indexOf('=');
  if (at < 1) throw new CliError(`--attribute takes NAME=VALUE, not ${pair}`);
  const names = pair.slice(0, at).split('.');
  const last = names.pop() ?? '';
  let place = attributes;
  for (const name of names) {
    const inner = Object.hasOwn(place, name) ? place[name] : undefined;
    const next = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
    set(place, name, next);
    place = next;
  }
  set(place, last, valueOf(pair.slice(at + 1)));
}

/** As a field of its own also where the name is `__proto__`. */
function set(place: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(place, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Versions stay texts: of numbers only those that read the same when written again are taken as numbers. */
function valueOf(text: string): unknown {
  if (text === '') return null;
  if (/^-?\d+(\.\d+)?$/.test(text)) return /^\d+\.\d+$/.test(text) || String(Number(text)) !== text ? text : Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  if (!/^["[{]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
