import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { IoTJobsDataPlaneClient } from '@aws-sdk/client-iot-jobs-data-plane';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { CertificateFolder } from '../harness/certificate-folder.ts';
import { Selsyn } from '../harness/selsyn.ts';

/** What the configuration of every AWS client takes; nobody but AWS reads it. */
export const REGION = 'eu-central-1';

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
}

/** How a client of HTTP shows who it is. */
export type Showing = { readonly key: AccessKey } | { readonly device: string };

/** A server that a fleet has moved to from AWS: things with certificates, and keys to sign requests with. */
export class AwsFleet {
  /** With `ca.crt`, and `NAME.crt` and `NAME.key` of each thing. */
  readonly folder = new CertificateFolder();
  #selsyn: Selsyn | undefined;
  #closing: (() => void)[] = [];

  get selsyn(): Selsyn {
    if (this.#selsyn === undefined) throw new Error('the server was not started');
    return this.#selsyn;
  }

  async start(...things: readonly string[]): Promise<void> {
    this.#selsyn = await Selsyn.start();
    this.folder.write('ca.crt', readFileSync(this.selsyn.caFile));
    for (const thing of things) await this.addThing(thing);
  }

  async stop(): Promise<void> {
    for (const close of this.#closing.splice(0)) close();
    this.folder[Symbol.dispose]();
    await this.#selsyn?.[Symbol.asyncDispose]();
  }

  async addThing(id: string, more: object = {}): Promise<void> {
    await this.ask('POST', '/api/v1/devices', { id, ...more });
    const path = `/api/v1/devices/${id}/certificates`;
    const { certificatePem, privateKeyPem } = await this.ask<{ certificatePem: string; privateKeyPem: string }>('POST', path, {});
    this.folder.write(`${id}.crt`, certificatePem);
    this.folder.write(`${id}.key`, privateKeyPem);
  }

  async newKey(holder: { readonly role: string; readonly group?: string } | { readonly device: string }): Promise<AccessKey> {
    const draft = 'device' in holder ? holder : { grants: [{ role: holder.role, group: holder.group ?? '/' }] };
    return await this.ask<AccessKey>('POST', '/api/v1/access-keys', { name: 'of a test', ...draft });
  }

  /** As the administrator. @throws where the answer is no 2xx */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await this.selsyn.fetch(path, { method, ...json });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Where all is that AWS's clients ask for. */
  get endpoint(): { readonly host: string; readonly mqttPort: number; readonly httpsUrl: string } {
    const { mqttsUrl, httpsUrl } = this.selsyn;
    return {
      host: 'localhost',
      mqttPort: Number(new URL(mqttsUrl).port),
      httpsUrl: `https://localhost:${new URL(httpsUrl).port}`,
    };
  }

  /** An MQTT client over mutual TLS, of whatever maker. */
  async connect(thing: string, more: Partial<IClientOptions> = {}): Promise<MqttClient> {
    return await connectAsync(this.selsyn.mqttsUrl, {
      ca: this.folder.read('ca.crt'),
      cert: this.folder.read(`${thing}.crt`),
      key: this.folder.read(`${thing}.key`),
      clientId: thing,
      protocolVersion: 5,
      reconnectPeriod: 0,
      ...more,
    });
  }

  dataPlane(
    showing: Showing,
    more: { readonly maxAttempts?: number; readonly systemClockOffset?: number } = {},
  ): IoTDataPlaneClient {
    const client = new IoTDataPlaneClient(this.#configuration(showing, more));
    this.#closing.push(() => client.destroy());
    return client;
  }

  jobsDataPlane(showing: Showing): IoTJobsDataPlaneClient {
    const client = new IoTJobsDataPlaneClient(this.#configuration(showing, {}));
    this.#closing.push(() => client.destroy());
    return client;
  }

  /** With a certificate requests go unsigned, as AWS has it. */
  #configuration(showing: Showing, { maxAttempts = 1, systemClockOffset = 0 }: Parameters<AwsFleet['dataPlane']>[1] & object) {
    const { folder } = this;
    const files =
      'device' in showing ? { cert: folder.read(`${showing.device}.crt`), key: folder.read(`${showing.device}.key`) } : {};
    const common = {
      endpoint: this.endpoint.httpsUrl,
      region: REGION,
      maxAttempts,
      systemClockOffset,
      requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: folder.read('ca.crt'), ...files }) }),
    };
    if ('key' in showing) {
      const { id, secret } = showing.key;
      return { ...common, credentials: { accessKeyId: id, secretAccessKey: secret } };
    }
    return {
      ...common,
      credentials: { accessKeyId: '', secretAccessKey: '' },
      signer: { sign: async <T>(request: T) => request },
    };
  }
}

/** What was thrown, as a test compares it. */
export async function failureOf(doing: Promise<unknown>): Promise<{ name: string; status: number | undefined; message: string }> {
  try {
    await doing;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, status: $metadata?.httpStatusCode };
  }
  throw new Error('it did not fail');
}

export function textOf(payload: Uint8Array | undefined): string {
  return Buffer.from(payload ?? []).toString('utf8');
}

export function jsonOf<T = Record<string, unknown>>(payload: Uint8Array | undefined): T {
  return JSON.parse(textOf(payload)) as T;
}

export function payloadOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export async function nextMessage(client: MqttClient): Promise<IPublishPacket> {
  return await new Promise((resolve) => client.once('message', (_topic, _payload, packet) => resolve(packet)));
}
