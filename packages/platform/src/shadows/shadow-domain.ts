import type { StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Batch } from '../state/batch.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { DeviceRequest, Listening } from '../state/device-request.ts';
import type { RegistryChange, RegistryFollower } from '../state/registry-changes.ts';
import type { DeviceFacing, StateDomain } from '../state/state-domain.ts';
import type { StateWriter } from '../state/state-writer.ts';
import { publish, publishDeletion, publishDelta, publishUpdate } from './change-messages.ts';
import { decideChange } from './decide-change.ts';
import { DeltaResend } from './delta-resend.ts';
import { getAcceptedText, rejectedText } from './shadow-answers.ts';
import type { ShadowDocument, ShadowKey, ShadowPatch } from './shadow-document.ts';
import { deltaOf } from './shadow-delta.ts';
import { FAULTS, noShadow, type ShadowFault } from './shadow-faults.ts';
import type { ShadowFollower } from './shadow-follower.ts';
import { NO_RULES, type ShadowDevice, type ShadowDevices, type ShadowRules } from './shadow-hooks.ts';
import { workOf } from './shadow-mqtt.ts';
import { purgeDevices, shadowsOf } from './shadow-purge.ts';
import { keyOf, pathOf } from './shadow-row.ts';
import { ShadowRows } from './shadow-rows.ts';
import { AWS_LIMITS, type ShadowLimits } from './shadow-rules.ts';
import { sweepHistory, sweepTombstones, type HistoryBounds } from './shadow-sweep.ts';
import type { ChangeWork, GetWork, ResendWork, ShadowResult, ShadowWork } from './shadow-work.ts';
import { metadataOf, shownDesired, shownOf } from './shown-shadow.ts';
import { Sweeping } from './sweeping.ts';
import { WorkingSet, type KnownShadow } from './working-set.ts';

export interface ShadowDomainOptions {
  /** Of the writer. */
  readonly database: StateDatabase;
  readonly writer: Pick<StateWriter, 'run'>;
  readonly devices: ShadowDevices;
  readonly clock: Clock;
  readonly rules?: ShadowRules;
  readonly followers?: readonly ShadowFollower[];
  readonly limits?: ShadowLimits;
  /** Shadows are also made for devices that the registry does not know (yet). */
  readonly open?: boolean;
  readonly history?: HistoryBounds;
  /** False: as AWS, a client that subscribes to a delta topic waits for the next update. */
  readonly deltaOnSubscribe?: boolean;
  /** Device types whose devices do not get a delta because they subscribe. */
  readonly strictTypes?: readonly string[];
  /** For documents that were used last. */
  readonly cacheBytes?: number;
}

const DEFAULT_HISTORY: HistoryBounds = { maxAgeMs: 30 * 24 * 3_600_000, maxRows: 2_000_000 };
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;

/** Shadows: every change of them goes through here. */
export class ShadowDomain implements StateDomain<ShadowWork, ShadowResult>, DeviceFacing, RegistryFollower, Disposable {
  readonly name = 'shadows';
  readonly limits: ShadowLimits;
  readonly #writer: Pick<StateWriter, 'run'>;
  readonly #devices: ShadowDevices;
  readonly #rules: ShadowRules;
  readonly #followers: readonly ShadowFollower[];
  readonly #open: boolean;
  readonly #history: HistoryBounds;
  readonly #deltaOnSubscribe: boolean;
  readonly #strictTypes: ReadonlySet<string>;
  readonly #working: WorkingSet;
  readonly #resend: DeltaResend;
  readonly #sweeping: Sweeping;

  constructor(options: ShadowDomainOptions) {
    this.#writer = options.writer;
    this.#devices = options.devices;
    this.#rules = options.rules ?? NO_RULES;
    this.#followers = options.followers ?? [];
    this.limits = options.limits ?? AWS_LIMITS;
    this.#open = options.open ?? false;
    this.#history = options.history ?? DEFAULT_HISTORY;
    this.#deltaOnSubscribe = options.deltaOnSubscribe ?? true;
    this.#strictTypes = new Set(options.strictTypes);
    this.#working = new WorkingSet(new ShadowRows(options.database), options.cacheBytes ?? DEFAULT_CACHE_BYTES);
    this.#resend = new DeltaResend(async (work) => await this.run(work), options.clock);
    this.#sweeping = new Sweeping(async () => await this.run({ kind: 'sweep' }), options.clock);
  }

  /** Begins to take away, from time to time, what is too old. */
  start(): void {
    this.#sweeping.start();
  }

  [Symbol.dispose](): void {
    this.#sweeping[Symbol.dispose]();
    this.#resend[Symbol.dispose]();
  }

  /** Does a work in the next batch. @throws as StateWriter.run */
  async run(work: ShadowWork): Promise<ShadowResult> {
    return await this.#writer.run(this, work);
  }

  request(request: DeviceRequest): Promise<void> | undefined {
    const work = workOf(request, this.limits);
    return work && this.#writer.run(this, work).then(() => undefined);
  }

  listening(listening: Listening): void {
    if (this.#deltaOnSubscribe) this.#resend.listening(listening);
  }

  gone(link: ClientLink): void {
    this.#resend.gone(link);
  }

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const removed = changes.filter((change) => change.kind === 'removed');
    if (removed.length === 0) return;
    const purged = await purgeDevices(batch.transaction, removed);
    this.#working.forget(
      purged.map((shadow) => shadow.path),
      batch,
    );
    for (const { path, document } of purged) {
      if (document !== undefined)
        for (const follower of this.#followers) follower.changed(keyOf(path), document, undefined, batch);
    }
    for (const follower of this.#followers) await follower.write(batch);
  }

  async apply(works: readonly ShadowWork[], batch: Batch): Promise<readonly ShadowResult[]> {
    const named = await this.#namedOf(works, batch);
    const devices = await this.#prepare(works, named, batch);
    const results: ShadowResult[] = [];
    for (const work of works) {
      switch (work.kind) {
        case 'change':
          results.push(this.#change(work, devices, batch));
          break;
        case 'get':
          results.push(this.#get(work, devices, batch));
          break;
        case 'resend':
          results.push(this.#sendDeltas(work, named, devices, batch));
          break;
        case 'sweep':
          results.push({ kind: 'done', count: await this.#sweep(batch) });
          break;
      }
    }
    await this.#working.flush(batch);
    for (const follower of this.#followers) await follower.write(batch);
    return results;
  }

  /** The named shadows of devices that want the deltas of all of them. */
  async #namedOf(works: readonly ShadowWork[], batch: Batch): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const devices = new Set<string>();
    for (const work of works) if (work.kind === 'resend' && work.shadow === undefined) devices.add(work.device);
    if (devices.size === 0) return new Map();
    const named = await shadowsOf(batch.transaction, devices);
    // Those that this very batch makes.
    for (const work of works) if (work.kind === 'change') named.get(work.device)?.add(work.shadow);
    return named;
  }

  /** Reads all that the works need. @returns the devices that were looked up: only some works need to know them. */
  async #prepare(
    works: readonly ShadowWork[],
    named: ReadonlyMap<string, ReadonlySet<string>>,
    batch: Batch,
  ): Promise<ReadonlyMap<string, ShadowDevice>> {
    const working = this.#working;
    const paths: string[] = [];
    for (const work of works) {
      if (work.kind === 'sweep') continue;
      if (work.shadow !== undefined) paths.push(pathOf({ device: work.device, shadow: work.shadow }));
      else for (const shadow of named.get(work.device) ?? []) paths.push(pathOf({ device: work.device, shadow }));
    }
    await working.load(paths, batch);
    const changes = works.filter((work) => work.kind === 'change');
    if (changes.length > 0) {
      await working.prepareIds(batch);
      await this.#rules.prepare(changes, batch);
    }
    const asked = new Set<string>();
    for (const work of works) if (this.#needsDevice(work)) asked.add(work.device);
    return asked.size === 0 ? new Map() : await this.#devices.find([...asked]);
  }

  #needsDevice(work: ShadowWork): work is ChangeWork | GetWork | ResendWork {
    if (work.kind === 'sweep') return false;
    if (work.kind === 'resend') return this.#strictTypes.size > 0;
    return (work.kind === 'change' && work.actor !== undefined) || this.#working.get(pathOf(work)).document === undefined;
  }

  #change(work: ChangeWork, devices: ReadonlyMap<string, ShadowDevice>, batch: Batch): ShadowResult {
    const path = pathOf(work);
    const known = this.#working.get(path);
    const decision = decideChange(work, known, {
      nowMs: batch.nowMs,
      limits: this.limits,
      rules: this.#rules,
      deviceKnown: this.#open || devices.has(work.device),
    });
    switch (decision.kind) {
      case 'refused':
        return this.#refuse(work, decision.fault, known, work.refuseOn, batch);
      case 'unchanged':
        return { kind: 'unchanged', document: known.document };
      case 'deleted': {
        const { version } = decision;
        const { author } = work;
        this.#working.change({ path, version, document: undefined, texts: undefined, author, written: '' }, batch.nowMs);
        this.#after(work, known.document, undefined, {}, version, devices, batch);
        return { kind: 'deleted', version, accepted: publishDeletion(work, version, work.clientToken, batch) };
      }
      case 'put': {
        const { document, texts, written } = decision;
        const { version } = document;
        const before = known.document;
        const { author, clientToken } = work;
        this.#working.change(
          { path, version, document, texts, author, written: historyText(before, document, written) },
          batch.nowMs,
        );
        this.#after(work, before, document, written, version, devices, batch);
        const accepted = publishUpdate(
          {
            key: work,
            before: before && shownOf(before, known.row?.state ?? ''),
            after: shownOf(document, texts.state),
            written,
            clientToken,
            asked: work.refuseOn !== undefined,
          },
          batch,
        );
        return { kind: 'put', before, document, accepted };
      }
    }
  }

  /** Followers, and the audit trail. */
  #after(
    work: ChangeWork,
    before: ShadowDocument | undefined,
    after: ShadowDocument | undefined,
    written: ShadowPatch,
    version: number,
    devices: ReadonlyMap<string, ShadowDevice>,
    batch: Batch,
  ): void {
    const { device, shadow, actor } = work;
    for (const follower of this.#followers) follower.changed({ device, shadow }, before, after, batch);
    if (actor === undefined || actor.kind === 'device') return;
    batch.audit({
      actor,
      action: after === undefined ? 'shadow.delete' : before === undefined ? 'shadow.create' : 'shadow.update',
      object: { kind: 'device', id: device },
      group: devices.get(device)?.group ?? '/',
      ...(before !== undefined && { before: { shadow, version: before.version } }),
      ...(after !== undefined && { after: { shadow, version, ...written } }),
    });
  }

  #get(work: GetWork, devices: ReadonlyMap<string, ShadowDevice>, batch: Batch): ShadowResult {
    const path = pathOf(work);
    const known = this.#working.get(path);
    const { document } = known;
    if (document === undefined) {
      const fault = this.#open || devices.has(work.device) ? noShadow(work) : FAULTS.noThing;
      return this.#refuse(work, fault, known, work.answerOn, batch);
    }
    const shown = shownOf(document, known.row?.state ?? '');
    const delta = deltaOf(shown.desired?.value, shown.reported?.value);
    const accepted = getAcceptedText(shown, metadataOf(shown), delta, batch.nowMs, work.clientToken);
    if (work.answerOn !== undefined) publish(batch, work, `${work.answerOn}/accepted`, accepted);
    return { kind: 'read', document, accepted };
  }

  #sendDeltas(
    work: ResendWork,
    named: ReadonlyMap<string, ReadonlySet<string>>,
    devices: ReadonlyMap<string, ShadowDevice>,
    batch: Batch,
  ): ShadowResult {
    const { device } = work;
    const type = devices.get(device)?.type;
    if (type !== undefined && this.#strictTypes.has(type)) return { kind: 'done', count: 0 };
    let count = 0;
    for (const shadow of work.shadow === undefined ? (named.get(device) ?? []) : [work.shadow]) {
      const key = { device, shadow };
      const { document } = this.#working.get(pathOf(key));
      if (document === undefined) continue;
      if (publishDelta(key, document.version, shownDesired(document), document.reported, batch)) count++;
    }
    return { kind: 'done', count };
  }

  #refuse(
    work: ShadowKey & { readonly clientToken?: string | undefined },
    fault: ShadowFault,
    known: KnownShadow,
    answerOn: string | undefined,
    batch: Batch,
  ): ShadowResult {
    const rejected = rejectedText(fault, batch.nowMs, work.clientToken);
    if (answerOn !== undefined) publish(batch, work, `${answerOn}/rejected`, rejected);
    return { kind: 'refused', fault, version: known.row?.version ?? 0, rejected };
  }

  async #sweep(batch: Batch): Promise<number> {
    const paths = await sweepTombstones(batch.transaction, batch.nowMs);
    this.#working.forget(paths, batch);
    return paths.length + (await sweepHistory(batch.transaction, this.#history, batch.nowMs));
  }
}

/** What the history keeps of an update. */
function historyText(before: ShadowDocument | undefined, after: ShadowDocument, written: ShadowPatch): string {
  if (before?.inherited === after.inherited) return JSON.stringify(written);
  return JSON.stringify({ ...written, inherited: after.inherited ?? null });
}
