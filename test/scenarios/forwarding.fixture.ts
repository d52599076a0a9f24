import { connectAsync, type MqttClient } from 'mqtt';
import { eventually, type Selsyn } from '../harness/selsyn.ts';

export interface ForwarderAnswer {
  readonly id: string;
  readonly paused: boolean;
  readonly secretNames: readonly string[];
  readonly state: {
    readonly lagRecords: number;
    readonly lagSeconds: number;
    readonly lagBytes: number;
    readonly sent: number;
    readonly failures: number;
    readonly filtered: number;
    readonly skipped: number;
    readonly refused: number;
    readonly health: string;
    readonly circuit: string;
    readonly lastRefusal?: { readonly message: string };
    readonly lastError?: { readonly message: string };
  };
}

/** @throws when the answer is not 2xx */
export async function send(selsyn: Selsyn, method: string, path: string, body?: object): Promise<unknown> {
  const response = await selsyn.fetch(`/api/v1${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

export async function forwarder(selsyn: Selsyn, id: string): Promise<ForwarderAnswer> {
  return await selsyn.get<ForwarderAnswer>(`/api/v1/forwarders/${id}`);
}

/** Resolves with the forwarder once a condition holds. */
export async function forwarderWhen(
  selsyn: Selsyn,
  id: string,
  holds: (state: ForwarderAnswer['state']) => boolean,
): Promise<ForwarderAnswer> {
  return await eventually(async () => {
    const found = await forwarder(selsyn, id);
    return holds(found.state) ? found : undefined;
  });
}

/** A device that is connected. */
export async function device(selsyn: Selsyn, id: string): Promise<MqttClient & AsyncDisposable> {
  const password = await selsyn.addDevice(id);
  const client = await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password, reconnectPeriod: 0 });
  return Object.assign(client, { [Symbol.asyncDispose]: async () => await client.endAsync(true) });
}

/** Publishes values 0 to count - 1 as JSON, each acknowledged. */
export async function publish(client: MqttClient, id: string, from: number, upTo: number): Promise<void> {
  const publishing: Promise<unknown>[] = [];
  for (let n = from; n < upTo; n += 1) publishing.push(client.publishAsync(`telemetry/${id}`, JSON.stringify({ n }), { qos: 1 }));
  await Promise.all(publishing);
}
