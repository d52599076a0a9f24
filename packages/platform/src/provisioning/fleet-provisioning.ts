import type { Actor } from '../audit/actor.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { CertificateService } from '../pki/certificate-service.ts';
import { Gathering } from '../pki/gathering.ts';
import type { IssuedCertificate, SubjectKey } from '../pki/signing.ts';
import { AttemptTrace } from './attempt-trace.ts';
import type { Attempts } from './attempts.ts';
import type { ClaimBatch } from './claim-batch.ts';
import type { ClaimBatches } from './claim-batches.ts';
import type { Enrolment } from './enrolment.ts';
import type { Asker } from './enrolment-request.ts';
import { askerOf, type OwnershipDraft, type OwnershipTokens } from './ownership-tokens.ts';
import { checkCreateRequest, PayloadError, readCsrRequest, readProvisionRequest } from './provisioning-payload.ts';
import {
  acceptanceOf,
  parseProvisioningTopic,
  type ProvisioningAnswer,
  type ProvisioningTopic,
  rejectionOf,
} from './provisioning-topics.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Refusal, RefusedError, refusal, toldOf } from './refusal.ts';
import { ensureStands } from './standing-credential.ts';

/** A publish to a provisioning topic, and who it came from. */
export interface ProvisioningRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly clientId: string;
  /** With which certificate the client connected; undefined where with none. */
  readonly certificateId: string | undefined;
  /** The device that the client is; undefined for a claim. */
  readonly deviceId?: string | undefined;
  /** Of the token with which a device connected; undefined where with none. */
  readonly tokenHash?: string | undefined;
  readonly remoteAddress: string;
}

export interface FleetProvisioningDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly enrolment: Pick<Enrolment, 'enrol'>;
  readonly batches: Pick<ClaimBatches, 'ofCertificate' | 'count'>;
  readonly certificates: Pick<CertificateService, 'sign' | 'keep'>;
  readonly ownership: OwnershipTokens;
  readonly attempts: Pick<Attempts, 'note'>;
  readonly logLines: LogLines;
}

/** Requests under way; one more is told to come again. */
const MAX_UNDER_WAY = 8_192;
/** Of a device that wants another certificate. */
const RENEWALS_PER_MINUTE = 10;
/** Of one client with a claim, however slow its batch is. */
const MIN_OF_A_CLIENT_PER_MINUTE = 10;
/** The trace of what came too fast is written so often, of one batch: the rest is the same. */
const TOO_FAST_TRACES_PER_MINUTE = 6;
/** AWS names the certificate `AWS IoT Certificate` before its device is known; no device can have a name with a space. */
const COMMON_NAME = 'Selsyn device';
const MAX_BATCH = 64;

/** Who asks: units with a claim certificate, or a device that wants a new certificate. */
type Who =
  | { readonly kind: 'claim'; readonly certificateId: string; readonly batch: ClaimBatch }
  | { readonly kind: 'device'; readonly deviceId: DeviceId };

interface Issued {
  readonly certificate: IssuedCertificate;
  readonly draft: Omit<OwnershipDraft, 'certificateId'>;
  readonly actor: Actor;
}

/**
 * Fleet provisioning by MQTT, as AWS IoT has it: certificates that are pending until their device is provisioned.
 *
 * A claim may do so as its batch says. A device may do so too, with its own template parameters: it gets another certificate for itself
 * and can become nobody else.
 */
export class FleetProvisioning {
  readonly #dependencies: FleetProvisioningDependencies;
  readonly #pace: RateLimiter;
  readonly #handing: Gathering<Issued, string>;
  #underWay = 0;

  constructor(dependencies: FleetProvisioningDependencies) {
    this.#dependencies = dependencies;
    this.#pace = new RateLimiter(dependencies.clock);
    this.#handing = new Gathering({
      work: async (issued) => {
        await new Promise((resolve) => setImmediate(resolve));
        return await this.#keep(issued);
      },
      maxBatch: MAX_BATCH,
      maxUnderWay: 1,
      maxWaiting: MAX_UNDER_WAY,
      full: () => new SelsynError('signer.busy', 'too many certificates are waiting to be written', { retryable: true }),
    });
  }

  /** The answer for the client that asked, and for no other. Does not reject. */
  async answer(request: ProvisioningRequest): Promise<ProvisioningAnswer> {
    const topic = parseProvisioningTopic(request.topic);
    if (topic === undefined) return rejectionOf(request.topic, 400, 'InvalidRequest', 'This topic asks for nothing.');
    if (this.#underWay >= MAX_UNDER_WAY) return rejected(request.topic, refusal('busy', 'too many requests are under way'));
    this.#underWay++;
    try {
      return topic.request === 'provision' ? await this.#provision(request, topic) : await this.#create(request, topic);
    } catch (error) {
      this.#dependencies.logLines.error({ err: error, topic: request.topic }, 'a provisioning request failed');
      return rejected(request.topic, refusal('failed', 'the server failed'));
    } finally {
      this.#underWay--;
    }
  }

  /** `create` and `create-from-csr`: a certificate that nobody gets in with yet, and the token by which it is claimed. */
  async #create(request: ProvisioningRequest, topic: ProvisioningTopic): Promise<ProvisioningAnswer> {
    const trace = new AttemptTrace();
    let batch: string | undefined;
    try {
      const who = await this.#admit(request, 'create');
      batch = who.kind === 'claim' ? who.batch.name : undefined;
      trace.step(nameOf(who));
      const key = this.#keyOf(request.payload, topic);
      const certificate = await this.#dependencies.certificates.sign(key, { commonName: COMMON_NAME });
      trace.step('csr' in key ? `CSR accepted, ${certificate.keyKind}` : `key made here, ${certificate.keyKind}`);
      const token = await this.#handing.add({
        certificate,
        draft: {
          asker: askerOf(request),
          claimBatch: batch,
          clientId: request.clientId,
          remoteAddress: request.remoteAddress,
          steps: trace.steps,
        },
        actor: actorOf(who, request),
      });
      const { id, certificatePem, privateKeyPem } = certificate;
      return acceptanceOf(request.topic, topic.format, {
        certificateId: id,
        certificatePem,
        ...(privateKeyPem !== undefined && { privateKey: privateKeyPem }),
        certificateOwnershipToken: token,
      });
    } catch (error) {
      const refused = refusalOf(error);
      if (refused === undefined) throw error;
      this.#note(request, { batch, trace, refused, template: undefined });
      return rejected(request.topic, refused);
    }
  }

  async #provision(
    request: ProvisioningRequest,
    topic: ProvisioningTopic & { readonly request: 'provision' },
  ): Promise<ProvisioningAnswer> {
    const { database, clock, ownership, enrolment, batches } = this.#dependencies;
    let trace = new AttemptTrace();
    let batch: string | undefined;
    try {
      const who = await this.#admit(request, 'provision');
      trace.step(nameOf(who));
      if (who.kind === 'claim') {
        batch = who.batch.name;
        if (who.batch.template !== topic.template)
          throw new RefusedError(
            refusal(
              'template-unknown',
              `claim batch ${batch} is for the template ${who.batch.template}, not for ${topic.template}`,
            ),
          );
      }
      const { certificateOwnershipToken, parameters } = readProvisionRequest(topic.format, request.payload);
      const owned = await ownership.look(certificateOwnershipToken, askerOf(request), database);
      trace = new AttemptTrace(owned.steps);
      const result = await enrolment.enrol({
        door: who.kind === 'claim' ? 'claim' : 'rotation',
        template: topic.template,
        parameters,
        credential: { kind: 'certificate', certificateId: owned.certificateId },
        asker: personOf(who, request),
        ...(who.kind === 'device' && { self: who.deviceId }),
        trace,
        consume: async (transaction) => {
          await ownership.use(owned, transaction);
          if (batch !== undefined) await batches.count(batch, transaction);
          await ensureStands(request, who.kind === 'device' ? who.deviceId : undefined, clock.now(), transaction);
        },
      });
      if (!('deviceId' in result)) return rejected(request.topic, result.refusal);
      return acceptanceOf(request.topic, topic.format, { deviceConfiguration: result.configuration, thingName: result.deviceId });
    } catch (error) {
      const refused = refusalOf(error);
      if (refused === undefined) throw error;
      this.#note(request, { batch, trace, refused, template: topic.template });
      return rejected(request.topic, refused);
    }
  }

  /** Whether they may ask at all, now and so fast. @throws RefusedError */
  async #admit(request: ProvisioningRequest, what: 'create' | 'provision'): Promise<Who> {
    const { deviceId, certificateId, tokenHash } = request;
    if (deviceId !== undefined && isDeviceId(deviceId)) {
      // In open mode everybody may call himself as he likes: no certificate is given for that.
      if (certificateId === undefined && tokenHash === undefined)
        throw new RefusedError(refusal('credential-invalid', 'client shows neither a certificate nor a token'));
      if (!this.#pace.take(`device ${what} ${deviceId}`, RENEWALS_PER_MINUTE)) throw tooFast(`device ${deviceId}`);
      return { kind: 'device', deviceId };
    }
    if (certificateId === undefined) throw new RefusedError(refusal('credential-invalid', 'client shows no certificate'));
    const batch = await this.#dependencies.batches.ofCertificate(certificateId);
    // One unit that asks without end takes no more than half of what all of them have.
    const client = `client ${what} ${certificateId} ${request.clientId.slice(0, 128)}`;
    if (!this.#pace.take(client, Math.max(MIN_OF_A_CLIENT_PER_MINUTE, batch.ratePerMinute / 2)))
      throw tooFast(`client ${request.clientId} of claim batch ${batch.name}`);
    if (!this.#pace.take(`batch ${what} ${batch.name}`, batch.ratePerMinute)) throw tooFast(`claim batch ${batch.name}`);
    return { kind: 'claim', certificateId, batch };
  }

  #keyOf(payload: Uint8Array, topic: ProvisioningTopic): SubjectKey {
    if (topic.request === 'create-from-csr') return { csr: readCsrRequest(topic.format, payload).certificateSigningRequest };
    checkCreateRequest(topic.format, payload);
    return { generate: true };
  }

  /** Certificates and their tokens, in one transaction. */
  async #keep(issued: readonly Issued[]): Promise<readonly string[]> {
    const { database, certificates, ownership } = this.#dependencies;
    return await inTransaction(database, async (transaction) => {
      for (const { certificate, actor } of issued)
        await certificates.keep(certificate, { purpose: 'device', status: 'pending', actor }, transaction);
      return await ownership.issue(
        issued.map(({ certificate, draft }) => ({ ...draft, certificateId: certificate.id })),
        transaction,
      );
    });
  }

  /** For what was refused before it came to an enrolment. */
  #note(
    request: ProvisioningRequest,
    {
      batch,
      trace,
      refused,
      template,
    }: { batch: string | undefined; trace: AttemptTrace; refused: Refusal; template: string | undefined },
  ): void {
    const asker = batch ?? askerOf(request);
    if (refused.reason === 'rate-limited' && !this.#pace.take(`trace ${asker}`, TOO_FAST_TRACES_PER_MINUTE)) return;
    trace.step(refused.why);
    trace.step('refused');
    this.#dependencies.attempts.note({
      door: request.deviceId === undefined ? 'claim' : 'rotation',
      outcome: 'refused',
      reason: refused.reason,
      template,
      deviceId: request.deviceId,
      claimBatch: batch,
      clientId: request.clientId,
      remoteAddress: request.remoteAddress,
      steps: trace.steps,
    });
  }
}

function tooFast(who: string): RefusedError {
  return new RefusedError(refusal('rate-limited', `${who} comes too fast`));
}

/** Undefined: a fault of the server. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof PayloadError) return refusal('payload-invalid', error.message);
  if (isSelsynError(error, 'csr.invalid', 'csr.weak-key')) return refusal('csr-invalid', error.message);
  if (isSelsynError(error, 'signer.busy', 'signer.unavailable', 'thread.timeout', 'thread.gone'))
    return refusal('busy', error.message);
  return undefined;
}

function rejected(topic: string, refused: Refusal): ProvisioningAnswer {
  const { statusCode, errorCode, message } = toldOf(refused);
  return rejectionOf(topic, statusCode, errorCode, message);
}

function nameOf(who: Who): string {
  return who.kind === 'claim' ? `claim batch ${who.batch.name}` : `device ${who.deviceId}`;
}

function personOf(who: Who, { clientId, remoteAddress, certificateId }: ProvisioningRequest): Asker {
  return {
    name: nameOf(who),
    batch: who.kind === 'claim' ? who.batch.name : undefined,
    certificateId,
    clientId,
    remoteAddress,
  };
}

function actorOf(who: Who, { remoteAddress }: ProvisioningRequest): Actor {
  if (who.kind === 'device') return { kind: 'device', id: who.deviceId, name: who.deviceId, remoteAddress };
  return { kind: 'system', id: 'provisioning', name: nameOf(who), remoteAddress };
}
