import { sparkplugNames } from '@selsyn/wire/topics/sparkplug-topics.ts';
import { isGroupPath, ROOT_GROUP } from '../../registry/group-path.ts';

/** What is known of a device when it connects. */
export interface AccessFacts {
  readonly deviceId: string;
  readonly type: string | undefined;
  /** Its group, a path. */
  readonly group: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly clientId: string;
}

/**
 * Neither a wildcard nor a new level may come in by a value, nor a `$` that makes a topic one of the server's: it would open topics
 * that no policy names.
 */
const UNSAFE_IN_A_LEVEL = /^\$|[+#/\0]/;
const MAX_VALUE_LENGTH = 256;

/** What a variable stands for; undefined where the device has no such thing, or one that must not stand in a topic. */
export function valueOf(variable: string, facts: AccessFacts): string | undefined {
  switch (variable) {
    case 'device.id':
      return safe(facts.deviceId);
    case 'device.type':
      return facts.type === undefined ? undefined : safe(facts.type);
    case 'client.id':
      return safe(facts.clientId);
    case 'sparkplug.group':
    case 'sparkplug.node':
      return sparkplugName(variable, facts.deviceId);
    case 'group':
      // Several levels, without the slash that it begins with; the root has no name.
      return facts.group !== ROOT_GROUP && isGroupPath(facts.group) ? facts.group.slice(1) : undefined;
    default:
      return attributeOf(variable, facts.attributes);
  }
}

/** Only of an edge node: what is behind one has no connection of its own. */
function sparkplugName(variable: 'sparkplug.group' | 'sparkplug.node', deviceId: string): string | undefined {
  const names = sparkplugNames(deviceId);
  if (names === undefined || names.device !== undefined) return undefined;
  return safe(variable === 'sparkplug.group' ? names.group : names.node);
}

function attributeOf(variable: string, attributes: Readonly<Record<string, unknown>>): string | undefined {
  let value: unknown = attributes;
  for (const name of variable.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? safe(String(value)) : undefined;
}

function safe(text: string): string | undefined {
  return text !== '' && text.length <= MAX_VALUE_LENGTH && !UNSAFE_IN_A_LEVEL.test(text) ? text : undefined;
}
