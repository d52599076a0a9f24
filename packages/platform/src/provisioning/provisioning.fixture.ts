/** For tests: provisioning over a database in memory and a real authority, and a unit that wants to become a device. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { type Actor, systemActor } from '../audit/actor.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openTestCertificates, type TestCertificates } from '../pki/certificate-service.fixture.ts';
import { EVERYTHING } from '../registry/scope.ts';
import type { ProvisioningRequest } from './fleet-provisioning.ts';
import type { AsksHook } from './pre-provisioning-hook.ts';
import { Provisioning } from './provisioning.ts';
import { decodePayload, encodePayload, type PayloadFormat } from './provisioning-payload.ts';
import { makeCsr } from './csr.fixture.ts';

export const TEST_ACTOR: Actor = systemActor('test');
export const TEMPLATE = 'greenhouse';
export const BATCH = 'march';

export interface TestProvisioning extends AsyncDisposable {
  readonly pki: TestCertificates;
  readonly provisioning: Provisioning;
  /** Device ids and claims whose access was said to have changed. */
  readonly changed: string[];
  /** Writes the template `greenhouse`, changed so. */
  putTemplate(change?: Record<string, unknown>): Promise<void>;
  putManifest(lines: string): Promise<void>;
  /** A claim certificate of a batch that is made where it is not there. */
  claim(change?: {
    name?: string;
    maxCount?: number;
    ratePerMinute?: number;
    expiresAtMs?: number;
    template?: string;
  }): Promise<string>;
  /** The steps of the newest attempt, as they are shown. */
  lastTrace(): Promise<string>;
  devices(): Promise<readonly string[]>;
}

export async function openTestProvisioning(options: { readonly hook?: AsksHook } = {}): Promise<TestProvisioning> {
  const pki = await openTestCertificates();
  const { database, clock, trail, certificates } = pki;
  const changed: string[] = [];
  const provisioning = new Provisioning({
    database,
    clock,
    random: randomBytes,
    trail,
    logLines: silentLogLines,
    certificates,
    onAccessChanged: async (principals) => void changed.push(...principals),
    ...(options.hook !== undefined && { hook: options.hook }),
  });
  return {
    pki,
    provisioning,
    changed,
    async putTemplate(change = {}) {
      await provisioning.templates.put({ name: TEMPLATE, enabled: true, ...GREENHOUSE, ...change }, EVERYTHING, TEST_ACTOR);
    },
    async putManifest(lines) {
      const result = await provisioning.manifest.upload(TEMPLATE, chunksOf(lines), { format: 'csv' }, EVERYTHING, TEST_ACTOR);
      if (result.refused > 0) throw new Error(JSON.stringify(result.refusals));
    },
    async claim(change = {}) {
      const name = change.name ?? BATCH;
      const known = (await provisioning.batches.list()).some((batch) => batch.name === name);
      const draft = {
        template: TEMPLATE,
        maxCount: 100,
        ratePerMinute: 60_000,
        expiresAtMs: clock.now() + 86_400_000,
        ...change,
        name,
      };
      if (!known) await provisioning.batches.create(draft, EVERYTHING, TEST_ACTOR);
      return (await provisioning.batches.issueCertificate(name, undefined, EVERYTHING, TEST_ACTOR)).certificateId;
    },
    async lastTrace() {
      const [attempt] = await provisioning.attempts.list({ scope: EVERYTHING, limit: 1 });
      return attempt?.steps.join(' · ') ?? '';
    },
    async devices() {
      const rows = await database.selectFrom('device').select('id').orderBy('id').execute();
      return rows.map(({ id }) => id).filter((id) => id !== 'a1' && id !== 'b1');
    },
    async [Symbol.asyncDispose]() {
      await provisioning[Symbol.asyncDispose]();
      await pki[Symbol.asyncDispose]();
    },
  };
}

export const GREENHOUSE = {
  parameters: { SerialNumber: {}, Site: { default: 'kiel' } },
  device: {
    id: 'gh-${parameters.SerialNumber}',
    name: 'Sensor ${parameters.SerialNumber}',
    group: '/acme/${parameters.Site}',
    tags: ['greenhouse'],
    attributes: { site: '${parameters.Site}' },
  },
  configuration: { intervalSec: 60, site: '${parameters.Site}' },
};

export async function* chunksOf(text: string, size = text.length): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += Math.max(1, size)) yield bytes.subarray(start, start + Math.max(1, size));
}

export interface Answer {
  readonly accepted: boolean;
  readonly body: Readonly<Record<string, never>> & {
    readonly certificateId?: string;
    readonly certificatePem?: string;
    readonly certificateOwnershipToken?: string;
    readonly privateKey?: string;
    readonly thingName?: string;
    readonly deviceConfiguration?: unknown;
    readonly statusCode?: number;
    readonly errorCode?: string;
    readonly errorMessage?: string;
  };
}

/** A client of MQTT that speaks fleet provisioning. */
export class TestUnit {
  readonly #provisioning: Provisioning;
  readonly #who: Pick<ProvisioningRequest, 'certificateId' | 'clientId' | 'deviceId' | 'tokenHash'>;
  readonly format: PayloadFormat;

  constructor(
    provisioning: Provisioning,
    who: { certificateId?: string; clientId?: string; deviceId?: string; tokenHash?: string },
    format: PayloadFormat = 'json',
  ) {
    this.#provisioning = provisioning;
    this.#who = {
      certificateId: who.certificateId,
      clientId: who.clientId ?? 'unit-1',
      tokenHash: who.tokenHash,
      ...(who.deviceId !== undefined && { deviceId: parseDeviceId(who.deviceId) }),
    };
    this.format = format;
  }

  async ask(topic: string, body: unknown): Promise<Answer> {
    return await this.send(topic, encodePayload(this.format, body));
  }

  async send(topic: string, payload: Uint8Array): Promise<Answer> {
    const full = `${topic}/${this.format}`;
    const answer = await this.#provisioning.fleet.answer({
      topic: full,
      payload,
      remoteAddress: '192.0.2.7',
      ...this.#who,
    });
    if (!answer.topic.startsWith(`${full}/`)) throw new Error(`the answer came on ${answer.topic}`);
    return { accepted: answer.topic === `${full}/accepted`, body: decodePayload(this.format, answer.payload) as Answer['body'] };
  }

  async createFromCsr(csr = newCsr()): Promise<Answer> {
    return await this.ask('$aws/certificates/create-from-csr', { certificateSigningRequest: csr });
  }

  async provision(token: string | undefined, parameters: Record<string, string>, template = TEMPLATE): Promise<Answer> {
    return await this.ask(`$aws/provisioning-templates/${template}/provision`, { certificateOwnershipToken: token, parameters });
  }

  /** Both steps. */
  async enrol(serial: string, more: Record<string, string> = {}): Promise<Answer> {
    const { body } = await this.createFromCsr();
    return await this.provision(body.certificateOwnershipToken, { SerialNumber: serial, ...more });
  }
}

/** With a key of its own on P-256. */
export function newCsr(commonName = 'whoever'): string {
  return makeCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }), commonName);
}

export interface TestUnitOpen extends TestProvisioning {
  /** Holds a claim of the batch `march`. */
  readonly unit: TestUnit;
}

/** With the template `greenhouse`, some serials, and a unit that holds a claim. */
export async function openWithUnit(manifest = 'serial\n1\n2\n3\n', hook?: AsksHook): Promise<TestUnitOpen> {
  const test = await openTestProvisioning({ ...(hook !== undefined && { hook }) });
  await test.putTemplate();
  await test.putManifest(manifest);
  const unit = new TestUnit(test.provisioning, { certificateId: await test.claim() });
  return { ...test, unit };
}

/** What everybody is told whom the manifest, the quarantine or another device keeps out. */
export const DENIED = { statusCode: 403, errorCode: 'AccessDenied', errorMessage: 'The device may not enrol.' };
