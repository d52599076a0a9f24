import { isDeviceId, type DeviceId } from '../../../kernel/device-id.ts';

const PREFIXES = ['telemetry/', 'devices/', '$aws/things/'];

/** Whose topic it is; undefined: no device's. */
export function deviceOfTopic(topic: string): DeviceId | undefined {
  const prefix = PREFIXES.find((each) => topic.startsWith(each));
  if (prefix === undefined) return undefined;
  const [device = ''] = topic.slice(prefix.length).split('/', 1);
  return isDeviceId(device) ? device : undefined;
}

/**
 * Topics of the server itself, but for those of things: nobody publishes there by HTTP. What enrolment answers goes to the client that
 * asks, and here is none.
 */
export function isForTheServer(topic: string): boolean {
  return topic.startsWith('$') && !topic.startsWith('$aws/things/');
}
