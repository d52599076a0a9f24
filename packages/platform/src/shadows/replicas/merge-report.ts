import { SelsynError } from '../../kernel/errors.ts';
import {
  isJsonObject,
  isLeafStamp,
  type JsonObject,
  type LeafStamp,
  type Section,
  type ShadowClock,
  type StampTree,
} from '../shadow-document.ts';
import { CLOUD, covers, dotOf } from './replica-clock.ts';

/** What an edge replica has made of a shadow. Plain data. */
export interface ReplicaReport {
  /** Its name among the replicas of this shadow. */
  readonly replica: string;
  /** How many writes of each replica it has seen, its own included: of CLOUD the version. */
  readonly clock: ShadowClock;
  /** Of the shadow that it got from here; undefined: it never got it. */
  readonly createdAtMs?: number | undefined;
  readonly desired?: JsonObject | undefined;
  readonly reported?: JsonObject | undefined;
  /** As in ShadowDocument: who wrote what, its count and when. */
  readonly stamps: Readonly<Partial<Record<Section, StampTree | undefined>>>;
}

export const REPLICA_PATTERN = /^[A-Za-z0-9:_.-]{1,64}$/;
/** Edges of one shadow, those that are long gone included: their entries are never forgotten. */
export const MAX_REPLICAS = 64;
const SECTIONS = ['desired', 'reported'] as const;

/** That it is one: every leaf has a stamp, and the replica has seen what it has. @throws SelsynError `shadow.invalid` */
export function checkReport(report: ReplicaReport): void {
  const { replica, clock } = report;
  if (!REPLICA_PATTERN.test(replica)) throw invalid('replica', 'the name of a replica is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (replica === CLOUD) throw invalid('replica', `${CLOUD} is the name of this server`);
  const names = Object.keys(clock);
  if (names.length > MAX_REPLICAS) throw invalid('clock', `a shadow has at most ${MAX_REPLICAS} replicas`);
  for (const name of names) {
    if (!REPLICA_PATTERN.test(name)) throw invalid('clock', `${JSON.stringify(name.slice(0, 64))} is no name of a replica`);
    if (!isCount(clock[name])) throw invalid('clock', `the clock of ${name} is not a whole number from 0`);
  }
  for (const section of SECTIONS) checkStamps(report[section], report.stamps[section], clock, `stamps.${section}`);
}

function checkStamps(value: JsonObject | undefined, stamps: StampTree | undefined, clock: ShadowClock, field: string): void {
  for (const [key, item] of Object.entries(value ?? {})) {
    const place = `${field}.${key}`;
    const node = stamps !== undefined && Object.hasOwn(stamps, key) ? stamps[key] : undefined;
    if (item === null) throw invalid(place, 'a value is not null: what was taken away is not there');
    if (isJsonObject(item)) checkStamps(item, isLeafStamp(node) ? undefined : node, clock, place);
    else if (!isLeafStamp(node)) throw invalid(place, 'every value needs a stamp [timestampSec, count, replica]');
    else checkStamp(node, clock, place);
  }
}

function checkStamp(stamp: LeafStamp, clock: ShadowClock, place: string): void {
  const [timestampSec, counter, replica = CLOUD] = stamp as readonly unknown[];
  if (!isCount(timestampSec) || !isCount(counter) || counter === 0 || typeof replica !== 'string') {
    throw invalid(place, 'a stamp is [timestampSec, count, replica], the count from 1');
  }
  if (!covers(clock, dotOf(stamp))) throw invalid(place, 'the clock of the replica has not come to its own value');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('shadow.invalid', message, { details: { field } });
}
