import type { Actor } from '../audit/actor.ts';
import type { AuditChange, AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { CertificateService } from '../pki/certificate-service.ts';
import type { IssuedCertificate } from '../pki/signing.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { type Admission, admit } from './admission.ts';
import { readAdmissionFacts } from './admission-facts.ts';
import type { Attempts, AttemptDraft } from './attempts.ts';
import type { FilledTemplate } from './compiled-template.ts';
import { attemptOf } from './enrolment-attempt.ts';
import type { EnrolmentRequest, EnrolmentResult } from './enrolment-request.ts';
import { parameterOf } from './provisioning-payload.ts';
import type { Quarantine } from './quarantine.ts';
import { type Refusal, RefusedError, refusal } from './refusal.ts';
import { PROOF_PARAMETER } from './template.ts';
import type { UsableTemplate } from './template-store.ts';

export interface EnrolmentWriterDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly trail: AuditTrail;
  readonly certificates: Pick<CertificateService, 'activate' | 'keep' | 'revokeOfDevices'>;
  readonly quarantine: Pick<Quarantine, 'add' | 'close'>;
  readonly attempts: Pick<Attempts, 'record'>;
  /** After the commit: what these devices may do is another, or they lost what they connect with. */
  readonly onAccessChanged: (devices: readonly string[]) => Promise<void>;
  readonly logLines: LogLines;
}

/** One who is to be written, all but the last look done. */
export interface Candidate {
  readonly request: EnrolmentRequest;
  readonly usable: UsableTemplate;
  readonly filled: FilledTemplate;
  /** A certificate that was signed for it and is kept nowhere yet. */
  readonly issued: IssuedCertificate | undefined;
}

/** A candidate that may enter. */
interface Admitted extends Candidate {
  readonly index: number;
  readonly how: 'first' | 'again' | 'renewal';
  readonly because: string;
  /** Where the device stands; undefined: it is not there. */
  readonly deviceGroup: string | undefined;
}

/** Writes enrolments: those that come together in one transaction, each of them as a whole or not at all. */
export class EnrolmentWriter {
  readonly #dependencies: EnrolmentWriterDependencies;

  constructor(dependencies: EnrolmentWriterDependencies) {
    this.#dependencies = dependencies;
  }

  /** One result for each, in their order. */
  async write(candidates: readonly Candidate[]): Promise<readonly EnrolmentResult[]> {
    const results: EnrolmentResult[] = [];
    for (const round of rounds(candidates)) results.push(...(await this.#writeRound(round)));
    return results;
  }

  /**
   * What one of them finds out only when writing takes back the whole transaction; then each has one of its own, and only that one is
   * refused. Steps of the trace that were taken back are not said twice: they are added at the end.
   */
  async #writeRound(round: readonly Candidate[]): Promise<readonly EnrolmentResult[]> {
    try {
      return await this.#transact(round);
    } catch (error) {
      const [only] = round;
      if (round.length === 1 && only !== undefined) {
        if (error instanceof RefusedError) return [{ outcome: 'refused', refusal: error.refusal }];
        throw error;
      }
      const results: EnrolmentResult[] = [];
      for (const each of round) {
        try {
          results.push(...(await this.#transact([each])));
        } catch (own) {
          results.push({ outcome: 'refused', refusal: this.#refusalOf(own) });
        }
      }
      return results;
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof RefusedError) return error.refusal;
    this.#dependencies.logLines.error({ err: error }, 'an enrolment could not be written');
    return refusal('failed', 'the server failed');
  }

  async #transact(round: readonly Candidate[]): Promise<readonly EnrolmentResult[]> {
    const written = await this.#dependencies.database
      .transaction()
      .execute(async (transaction) => await this.#write(round, transaction));
    // The device that comes now is the device: whoever is in with what it had before is cut.
    const changed = written.admitted.filter(({ how }) => how === 'again').map(({ filled }) => filled.draft.id);
    if (changed.length > 0) await this.#dependencies.onAccessChanged(changed);
    return written.results;
  }

  async #write(
    round: readonly Candidate[],
    transaction: Database,
  ): Promise<{ readonly results: readonly EnrolmentResult[]; readonly admitted: readonly Admitted[] }> {
    const facts = await readAdmissionFacts(
      transaction,
      round.map(({ request, filled }) => ({ template: request.template, serial: filled.serial, deviceId: filled.draft.id })),
    );
    const keyHashes = await readKeyHashes(transaction, round);
    const results: EnrolmentResult[] = [];
    const admitted: Admitted[] = [];
    const attempts: AttemptDraft[] = [];
    for (const [index, candidate] of round.entries()) {
      const fact = facts[index];
      if (fact === undefined) continue;
      const admission = decide(candidate, fact, keyHashes);
      if ('refused' in admission) results[index] = { outcome: 'refused', refusal: admission.refused };
      else if ('quarantine' in admission) {
        await this.#quarantine(candidate, admission.quarantine, fact.deviceGroup, transaction);
        results[index] = { outcome: 'quarantined', refusal: refusal('quarantined', admission.quarantine) };
        attempts.push(attempt(candidate, 'quarantined', [admission.quarantine, 'quarantined'], fact.deviceGroup));
      } else {
        admitted.push({
          ...candidate,
          index,
          how: admission.admitted,
          because: admission.because,
          deviceGroup: fact.deviceGroup,
        });
      }
    }
    await this.#admit(admitted, transaction);
    for (const each of admitted) {
      const outcome = each.how === 'renewal' ? 'renewed' : 'enrolled';
      const { draft, configuration } = each.filled;
      const group = each.deviceGroup ?? draft.group;
      results[each.index] = { outcome, deviceId: draft.id, group, configuration };
      attempts.push(attempt(each, outcome, [each.because, outcome], group));
    }
    await this.#dependencies.attempts.record(attempts, transaction);
    return { results, admitted };
  }

  async #admit(admitted: readonly Admitted[], transaction: Database): Promise<void> {
    if (admitted.length === 0) return;
    for (const { request, filled } of admitted) await request.consume?.(transaction, filled.draft.id);
    await this.#createDevices(admitted, transaction);
    await attachPolicies(admitted, transaction);
    for (const each of admitted) await this.#giveCredential(each, transaction);
    for (const { request, filled } of admitted) await request.complete?.(transaction, filled.draft.id);
    await this.#useManifest(admitted, transaction);
    await this.#dependencies.trail.record(admitted.map(auditOf), transaction);
  }

  /** One that is registered already stays as whoever registered it has it. */
  async #createDevices(admitted: readonly Admitted[], transaction: Database): Promise<void> {
    const drafts = admitted.filter(({ deviceGroup }) => deviceGroup === undefined).map(({ filled }) => filled.draft);
    if (drafts.length === 0) return;
    const devices = new DeviceStore({ database: transaction, clock: this.#dependencies.clock });
    for (const outcome of await devices.put(drafts, 'create', PROVISIONING)) {
      if (outcome.outcome === 'refused') throw new RefusedError(refusal('parameters-invalid', outcome.error.message));
    }
  }

  async #giveCredential(each: Admitted, transaction: Database): Promise<void> {
    const { certificates } = this.#dependencies;
    const { request, filled, issued } = each;
    const { id } = filled.draft;
    const actor = actorOf(each);
    if (each.how === 'again') {
      await certificates.revokeOfDevices([id], { reason: 'superseded', actor }, transaction);
      await transaction.deleteFrom('device_token').where('device_id', '=', id).execute();
    }
    if (issued !== undefined)
      await certificates.keep(issued, { purpose: 'device', status: 'active', deviceId: id, actor }, transaction);
    if (request.credential.kind !== 'certificate') return;
    try {
      await certificates.activate(request.credential.certificateId, id, actor, transaction);
    } catch (error) {
      if (isSelsynError(error, 'certificate.not-found', 'certificate.not-pending'))
        throw new RefusedError(refusal('token-invalid', 'its certificate is not pending any more'));
      throw error;
    }
  }

  async #useManifest(admitted: readonly Admitted[], transaction: Database): Promise<void> {
    const enrolled = admitted.filter(({ how }) => how !== 'renewal');
    for (const [template, own] of Map.groupBy(enrolled, ({ request }) => request.template)) {
      await transaction
        .updateTable('manifest_entry')
        .set({ used_at_ms: this.#dependencies.clock.now() })
        .where('template', '=', template)
        .where(
          'serial',
          'in',
          own.map(({ filled }) => filled.serial),
        )
        .execute();
    }
    for (const { request, filled, how } of enrolled) {
      if (how === 'again') await this.#dependencies.quarantine.close(request.template, filled.serial, transaction);
    }
  }

  async #quarantine(
    { request, filled }: Candidate,
    reason: string,
    deviceGroup: string | undefined,
    transaction: Database,
  ): Promise<void> {
    const { asker, door, template } = request;
    await this.#dependencies.quarantine.add(
      {
        template,
        serial: filled.serial,
        deviceId: filled.draft.id,
        group: deviceGroup ?? filled.draft.group,
        reason,
        door,
        claimBatch: asker.batch,
        clientId: asker.clientId,
        remoteAddress: asker.remoteAddress,
      },
      transaction,
    );
  }
}

const PROVISIONING: Actor = { kind: 'system', id: 'provisioning', name: 'provisioning' };

/** Of two with the same serial, device or certificate the second is to see what became of the first. */
function rounds(candidates: readonly Candidate[]): readonly (readonly Candidate[])[] {
  const cut: Candidate[][] = [[]];
  let seen = new Set<string>();
  for (const candidate of candidates) {
    const { request, filled } = candidate;
    const keys = [`serial ${request.template} ${filled.serial}`, `device ${filled.draft.id}`];
    if (request.credential.kind === 'certificate') keys.push(`certificate ${request.credential.certificateId}`);
    if (keys.some((key) => seen.has(key))) {
      cut.push([]);
      seen = new Set();
    }
    for (const key of keys) seen.add(key);
    cut.at(-1)?.push(candidate);
  }
  return cut.filter((round) => round.length > 0);
}

function decide(
  { request, usable, filled, issued }: Candidate,
  facts: Parameters<typeof admit>[1],
  keyHashes: ReadonlyMap<string, string>,
): Admission {
  const { credential } = request;
  const keyHash =
    issued?.keyHash ??
    (credential.kind === 'certificate' ? keyHashes.get(credential.certificateId) : undefined) ??
    (credential.kind === 'other' ? credential.keyHash : undefined);
  return admit(
    {
      template: usable.template,
      serial: filled.serial,
      deviceId: filled.draft.id,
      keyHash,
      proof: parameterOf(request.parameters, PROOF_PARAMETER),
      batch: request.asker.batch,
      self: request.self,
    },
    facts,
  );
}

async function readKeyHashes(transaction: Database, round: readonly Candidate[]): Promise<ReadonlyMap<string, string>> {
  const ids = round.flatMap(({ request: { credential } }) =>
    credential.kind === 'certificate' ? [credential.certificateId] : [],
  );
  if (ids.length === 0) return new Map();
  const rows = await transaction.selectFrom('certificate').select(['id', 'key_hash']).where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row.key_hash]));
}

/** To the device itself: they stay when its certificate is rotated. Who connects reads them; nobody is connected as a new device. */
async function attachPolicies(admitted: readonly Admitted[], transaction: Database): Promise<void> {
  const wanted = admitted
    .filter(({ how }) => how !== 'renewal')
    .flatMap(({ usable, filled }) =>
      usable.template.policies.map((name) => ({ policy_name: name, target_kind: 'device', target_id: filled.draft.id })),
    );
  if (wanted.length === 0) return;
  const names = [...new Set(wanted.map((row) => row.policy_name))];
  const known = await transaction.selectFrom('policy').select('name').where('name', 'in', names).execute();
  const missing = names.find((name) => !known.some((policy) => policy.name === name));
  if (missing !== undefined) throw new RefusedError(refusal('failed', `the policy ${missing} of the template is no more`));
  await transaction
    .insertInto('policy_attachment')
    .values(wanted)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await transaction
    .updateTable('access_version')
    .set((builder) => ({ version: builder('version', '+', 1) }))
    .where('id', '=', 1)
    .execute();
}

/** Who does it: a device that renews itself; else the platform, on behalf of whoever came by the door. */
function actorOf({ request }: Candidate): Actor {
  const { self, asker } = request;
  if (self !== undefined) return { kind: 'device', id: self, name: self, remoteAddress: asker.remoteAddress };
  return { ...PROVISIONING, name: asker.name.slice(0, 200), remoteAddress: asker.remoteAddress };
}

function auditOf(each: Admitted): AuditChange {
  const { request, usable, filled, how, deviceGroup } = each;
  return {
    actor: actorOf(each),
    action: how === 'renewal' ? 'device.renew' : 'device.enrol',
    object: { kind: 'device', id: filled.draft.id },
    group: deviceGroup ?? filled.draft.group,
    after: {
      door: request.door,
      template: request.template,
      serial: filled.serial,
      batch: request.asker.batch,
      policies: how === 'renewal' ? undefined : usable.template.policies,
      again: how === 'again' ? true : undefined,
    },
  };
}

function attempt(
  { request, filled }: Candidate,
  outcome: AttemptDraft['outcome'],
  more: readonly string[],
  group: string | undefined,
): AttemptDraft {
  const draft = attemptOf(request, { group: group ?? filled.draft.group, serial: filled.serial, deviceId: filled.draft.id });
  return {
    ...draft,
    outcome,
    ...(outcome === 'quarantined' && { reason: 'quarantined' }),
    // Not by the trace: this transaction may be taken back.
    steps: [...draft.steps, ...more],
  };
}
