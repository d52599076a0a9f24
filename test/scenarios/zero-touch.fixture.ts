import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { CertificateFolder } from '../harness/certificate-folder.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

export const CONFIGURATION = { intervalSec: 60, site: 'kiel', me: '${parameters.SerialNumber}' };
const GREENHOUSE = {
  parameters: { SerialNumber: {}, Site: { default: 'kiel' } },
  device: { id: 'gh-${parameters.SerialNumber}', group: '/acme/${parameters.Site}', tags: ['greenhouse'] },
  configuration: CONFIGURATION,
};

/** A server that lets the devices of a factory in: the template `greenhouse`, the serial numbers 0 to 59, and a claim certificate. */
export class Factory {
  /** With `claim.crt`, `claim.key` and `ca.crt`. */
  readonly folder = new CertificateFolder();
  #selsyn: Selsyn | undefined;

  get selsyn(): Selsyn {
    if (this.#selsyn === undefined) throw new Error('the server was not started');
    return this.#selsyn;
  }

  async start(): Promise<void> {
    this.#selsyn = await Selsyn.start();
    await this.ask('PUT', '/api/v1/provisioning/templates/greenhouse', GREENHOUSE);
    const serials = ['serial', ...Array.from({ length: 60 }, (_, n) => String(n))].join('\n');
    await this.upload('/api/v1/provisioning/templates/greenhouse/manifest', serials);
    const batch = {
      name: 'march',
      template: 'greenhouse',
      maxCount: 50,
      expiresAtMs: Date.now() + 86_400_000,
      ratePerMinute: 60_000,
    };
    await this.ask('POST', '/api/v1/provisioning/claims', batch);
    const path = '/api/v1/provisioning/claims/march/certificates';
    const claim = await this.ask<{ certificatePem: string; privateKeyPem: string }>('POST', path, {});
    this.folder.write('claim.crt', claim.certificatePem);
    this.folder.write('claim.key', claim.privateKeyPem);
    this.folder.write('ca.crt', readFileSync(this.selsyn.caFile));
  }

  async stop(): Promise<void> {
    this.folder[Symbol.dispose]();
    await this.#selsyn?.[Symbol.asyncDispose]();
  }

  /** As the administrator. @throws where the answer is no 2xx */
  async ask<T>(method: string, path: string, body: object): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.selsyn.fetch(path, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async upload(path: string, text: string): Promise<void> {
    const answer = await this.selsyn.fetch(path, { method: 'POST', headers: { 'content-type': 'text/csv' }, body: text });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }

  async newToken(more: object = {}): Promise<string> {
    const draft = { template: 'greenhouse', expiresAtMs: Date.now() + 3_600_000, ...more };
    const { items } = await this.ask<{ items: readonly { token: string }[] }>('POST', '/api/v1/provisioning/tokens', draft);
    return items[0]?.token ?? '';
  }

  /** Connects by mutual TLS with `NAME.crt` and `NAME.key` and sends a value. @returns the value that is stored */
  async publish(device: string, name: string, temperature: number): Promise<number> {
    const { folder } = this;
    const files = { ca: folder.read('ca.crt'), cert: folder.read(`${name}.crt`), key: folder.read(`${name}.key`) };
    const client = await connectAsync(this.selsyn.mqttsUrl, { ...files, clientId: device, reconnectPeriod: 0 });
    await client.publishAsync(`telemetry/${device}`, JSON.stringify({ temperature }), { qos: 1 });
    await client.endAsync();
    const path = `/api/v1/devices/${device}/telemetry/latest`;
    const [, value] = await eventually(
      async () => (await this.selsyn.get<Record<string, readonly [number, number]>>(path))['temperature'],
    );
    return value;
  }

  /** What was written down last of those that the query names. */
  async traceOf(query: string): Promise<string> {
    const path = `/api/v1/provisioning/attempts?${query}`;
    const { items } = await this.selsyn.get<{ items: readonly { steps: readonly string[] }[] }>(path);
    return items[0]?.steps.join(' · ') ?? '';
  }
}
