import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { sparkplugNames } from '@selsyn/wire/topics/sparkplug-topics.ts';
import type { MessageMemory, PartitionOffsets } from '../message-memory.ts';
import { type Certificate, Definitions, isBefore, type Place } from './certificate.ts';
import { type CertificateRow, type CertificateStore, isBroken } from './certificate-store.ts';
import { readSparkplug } from './sparkplug-payload.ts';

/** Nodes and devices that are known. */
const MAX_IDS = 1_000_000;
/** Of one: more are not needed, since what is read again after a restart comes in order. */
const KEPT = 3;
/** Metrics of all births that are taken apart: the births that were not used for longest are read again when needed. */
const MAX_DEFINITIONS = 1_000_000;
/** That wait to be written, before somebody asks for it: births are large. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** What is known of a node, or of a device behind one. */
export interface KnownUnit {
  readonly id: string;
  /** Of a node its own. */
  readonly nodeId: string;
  /** The last of them, as they came. */
  readonly certificates: readonly Certificate[];
}

interface Unit extends KnownUnit {
  readonly certificates: Certificate[];
}

export interface BirthsOptions {
  readonly store: CertificateStore;
  readonly maxDefinitions?: number;
  /** The file could not be read and has another name now. */
  readonly onBroken?: (aside: string) => void;
}

/**
 * The births and deaths of nodes and devices, each at its place in the log: a message is read under the birth that it was sent under, also
 * when both are read again, or when the node has come back by another connection meanwhile.
 */
export class Births implements MessageMemory {
  readonly #store: CertificateStore;
  readonly #maxDefinitions: number;
  readonly #onBroken: (aside: string) => void;
  readonly #units = new Map<string, Unit>();
  /** By node: its devices. */
  readonly #devices = new Map<string, Set<string>>();
  #pending: { readonly unit: Unit; readonly certificate: Certificate }[] = [];
  #pendingBytes = 0;
  /** With certificates that may be more than are needed. */
  #changed = new Set<string>();
  /** Those that are taken apart; the one that was used last is the last. */
  readonly #used = new Set<Certificate>();
  #definitions = 0;
  #log = 0;
  isCaughtUp = false;

  constructor({ store, maxDefinitions = MAX_DEFINITIONS, onBroken = () => {} }: BirthsOptions) {
    this.#store = store;
    this.#onBroken = onBroken;
    this.#maxDefinitions = maxDefinitions;
  }

  open(log: number, starts: PartitionOffsets): void {
    this.#log = log;
    if (!this.#store.exists) return;
    try {
      this.#load(log, starts);
    } catch (error) {
      if (!isBroken(error)) throw error;
      // Nodes are asked for their births, as those that are not known.
      this.#units.clear();
      this.#devices.clear();
      this.#onBroken(this.#store.setAside());
    }
  }

  #load(log: number, starts: PartitionOffsets): void {
    for (const row of this.#store.all()) {
      const isOfNow = row.log === log;
      // It is read again.
      if (isOfNow && row.offset >= (starts.get(row.partition) ?? 0)) continue;
      const place: Place = isOfNow
        ? { partition: row.partition, offset: row.offset, arrivalMs: row.arrivalMs }
        : { partition: -1, offset: 0, arrivalMs: row.arrivalMs };
      const unit = this.#unitOf(row.id);
      const { bdSeq, isBirth, number } = row;
      unit?.certificates.push({ place, isBirth, bdSeq, payload: undefined, number, definitions: undefined });
      if (unit !== undefined && unit.certificates.length > KEPT) unit.certificates.shift();
    }
  }

  makeDurable(lowWater: PartitionOffsets): void {
    this.#write();
    if (this.#changed.size === 0) return;
    this.#store.prune(this.#changed, this.#log, lowWater);
    this.#changed = new Set();
  }

  caughtUp(): void {
    this.isCaughtUp = true;
  }

  forget(device: string, before?: PartitionOffsets): void {
    if (sparkplugNames(device) === undefined || !(this.#store.exists || this.#units.has(device))) return;
    if (before !== undefined) {
      this.#forgetBefore(device, before);
      return;
    }
    this.#pending = this.#pending.filter(({ unit }) => unit.id !== device);
    this.#store.erase(device);
    const unit = this.#units.get(device);
    if (unit === undefined) return;
    for (const certificate of unit.certificates) this.#giveUp(certificate);
    unit.certificates.length = 0;
    this.#units.delete(device);
    this.#devices.get(unit.nodeId)?.delete(device);
  }

  close(): void {
    this.#store.close();
  }

  find(id: string): KnownUnit | undefined {
    return this.#units.get(id);
  }

  get nodeCount(): number {
    return this.#devices.size;
  }

  isNode(id: string): boolean {
    return this.#devices.has(id);
  }

  countDevices(nodeId: string): number {
    return this.#devices.get(nodeId)?.size ?? 0;
  }

  devicesOf(nodeId: string): Iterable<string> {
    return this.#devices.get(nodeId) ?? [];
  }

  /** Ids of all nodes. */
  nodes(): Iterable<string> {
    return this.#devices.keys();
  }

  /** The last certificate before a message. */
  before(id: string, place: Place): Certificate | undefined {
    return this.#units.get(id)?.certificates.findLast((certificate) => isBefore(certificate.place, place));
  }

  /**
   * The birth under which a message of a node or of a device is sent. Undefined where it is dead, or was never born, or a device was not
   * born again since its node was (Sparkplug 3.0.0, section 6.4.21: a birth of the node ends those of its devices).
   */
  birthFor(id: string, nodeId: string, place: Place): Certificate | undefined {
    const node = this.before(nodeId, place);
    if (node?.isBirth !== true || id === nodeId) return node?.isBirth === true ? node : undefined;
    const device = this.before(id, place);
    return device?.isBirth === true && isBefore(node.place, device.place) ? device : undefined;
  }

  /** A message says that it was born, or has died. */
  add(id: string, certificate: Certificate): void {
    const unit = this.#unitOf(id);
    // As of a log that grows without end: what is beyond the bound has been refused before.
    if (unit === undefined) return;
    unit.certificates.push(certificate);
    if (unit.certificates.length > KEPT) {
      const gone = unit.certificates.shift();
      if (gone !== undefined) this.#giveUp(gone);
    }
    this.#pending.push({ unit, certificate });
    this.#pendingBytes += certificate.payload?.length ?? 0;
    if (this.#pendingBytes <= MAX_PENDING_BYTES) return;
    try {
      this.#write();
    } catch {
      // On a full volume for example. The message counts all the same: whoever lets go of the log asks for it again, and is told.
    }
  }

  /** Whether one more may be known. */
  hasRoomFor(id: string): boolean {
    return this.#units.has(id) || this.#units.size < MAX_IDS;
  }

  /** @throws PayloadError where the birth is gone, or none any more; what SQLite and zlib throw where its file is broken */
  definitionsOf(certificate: Certificate): Definitions {
    const known = certificate.definitions;
    if (known !== undefined) {
      this.#used.delete(certificate);
      this.#used.add(certificate);
      return known;
    }
    const payload = this.payloadOf(certificate);
    const definitions = payload === undefined ? 'it is gone' : Definitions.of(readSparkplug(payload, 0, payload.length).metrics);
    if (typeof definitions === 'string') throw new PayloadError('malformed', `The birth cannot be read: ${definitions}.`);
    this.keepDefinitions(certificate, definitions);
    return definitions;
  }

  keepDefinitions(certificate: Certificate, definitions: Definitions): void {
    certificate.definitions = definitions;
    this.#used.add(certificate);
    this.#definitions += definitions.size;
    for (const oldest of this.#used) {
      if (this.#definitions <= this.#maxDefinitions || oldest === certificate) break;
      this.#giveUp(oldest);
    }
  }

  payloadOf({ payload, number }: Certificate): Uint8Array | undefined {
    return payload ?? (number === undefined ? undefined : this.#store.payload(number));
  }

  #forgetBefore(device: string, before: PartitionOffsets): void {
    this.#store.eraseBefore(device, this.#log, before);
    const unit = this.#units.get(device);
    if (unit === undefined) return;
    const kept = unit.certificates.filter(({ place }) => place.offset >= (before.get(place.partition) ?? Infinity));
    unit.certificates.splice(0, Infinity, ...kept);
  }

  #write(): void {
    if (this.#pending.length === 0) return;
    const rows = this.#pending.map(({ unit, certificate: { place, bdSeq, payload } }): CertificateRow => {
      return { id: unit.id, log: this.#log, ...place, bdSeq, payload };
    });
    const numbers = this.#store.write(rows);
    this.#pending.forEach(({ unit, certificate }, index) => {
      certificate.number = numbers[index];
      certificate.payload = undefined;
      this.#changed.add(unit.id);
    });
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #giveUp(certificate: Certificate): void {
    if (!this.#used.delete(certificate)) return;
    this.#definitions -= certificate.definitions?.size ?? 0;
    certificate.definitions = undefined;
  }

  #unitOf(id: string): Unit | undefined {
    const known = this.#units.get(id);
    if (known !== undefined) return known;
    const names = sparkplugNames(id);
    if (names === undefined || this.#units.size >= MAX_IDS) return undefined;
    const nodeId = names.device === undefined ? id : id.slice(0, id.length - deviceLength(id));
    const unit: Unit = { id, nodeId, certificates: [] };
    this.#units.set(id, unit);
    const devices = this.#devices.get(nodeId);
    if (devices === undefined) this.#devices.set(nodeId, new Set(id === nodeId ? [] : [id]));
    else if (id !== nodeId) devices.add(id);
    return unit;
  }
}

/** Of `:{device}`: the last colon that is no part of an escaped byte. */
function deviceLength(id: string): number {
  const plain = id.replaceAll(/::[0-9a-f]{2}/g, '____');
  return id.length - plain.lastIndexOf(':');
}
