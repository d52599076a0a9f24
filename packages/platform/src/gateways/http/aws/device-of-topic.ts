import { isDeviceId, type DeviceId } from '../../../kernel/device-id.ts';
import type { Permission } from '../../../people/permissions.ts';

const PREFIXES = ['telemetry/', 'devices/', '$aws/things/'];

/** Whose topic it is; undefined: no device's. */
export function deviceOfTopic(topic: string): DeviceId | undefined {
  const prefix = PREFIXES.find((each) => topic.startsWith(each));
  if (prefix === undefined) return undefined;
  const [device = ''] = topic.slice(prefix.length).split('/', 1);
  return isDeviceId(device) ? device : undefined;
}

/** What a program needs besides `messages:write`: a message there does the same as the operation that has this permission. */
export function writesBy(topic: string): Permission | undefined {
  const [, what] = TREES.find(([tree]) => tree.test(topic)) ?? [];
  return what;
}

const TREES: readonly (readonly [RegExp, Permission])[] = [
  [/^\$aws\/things\/[^/]*\/shadow\//, 'shadows:write'],
  [/^\$aws\/things\/[^/]*\/jobs\//, 'jobs:write'],
  [/^devices\/[^/]*\/(commands|requests)\//, 'commands:write'],
  [/^v1\/devices\/me\/rpc\//, 'commands:write'],
];

/** Topics of enrolment: what is answered goes to the client that asks by MQTT, and here is none. */
export function isForEnrolment(topic: string): boolean {
  return topic.startsWith('$aws/certificates/') || topic.startsWith('$aws/provisioning-templates/');
}

/** Topics of the server itself, but for those of things: no program publishes there by HTTP. */
export function isForTheServer(topic: string): boolean {
  return topic.startsWith('$') && !topic.startsWith('$aws/things/');
}
