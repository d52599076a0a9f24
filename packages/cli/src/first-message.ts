import { mosquittoAddress } from './server-address.ts';

const TAKES_JSON = new Set(['', 'json', 'thingsboard']);

/** How a device that was just added may send something: a line to copy, where what it sends is text that all know. */
export function firstMessage(device: {
  readonly id: string;
  readonly token: string;
  readonly mqttUrl: string;
  readonly type?: string | undefined;
  /** Of its type. */
  readonly codec?: string | undefined;
}): string {
  const { id, token, mqttUrl, type, codec = '' } = device;
  const publish = `mosquitto_pub ${mosquittoAddress(mqttUrl)} -i ${id} -u ${id} -P ${token} -q 1 -t telemetry/${id}`;
  if (TAKES_JSON.has(codec)) return `${publish} -m '{"temperature":23.5}'`;
  return `${publish} -f FILE\nits type is read by ${codec}: selsyn decoder test --type ${type} --file FILE shows what a message becomes`;
}
