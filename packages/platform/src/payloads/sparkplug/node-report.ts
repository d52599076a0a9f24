import { sparkplugNames } from '@selsyn/wire/topics/sparkplug-topics.ts';
import { type Certificate, isBefore } from './certificate.ts';
import { readSparkplug } from './sparkplug-payload.ts';
import type { Sparkplug } from './sparkplug-decoder.ts';
import { dataTypeOf, type DataType, type SkipReason, valueOf } from './sparkplug-values.ts';

/** `unborn`: its node was born again, and it was not yet. */
export type UnitState = 'alive' | 'dead' | 'unborn';

export interface SparkplugUnit {
  readonly id: string;
  readonly state: UnitState;
  /** When it was born, or has died; undefined: it never was born. */
  readonly sinceMs: number | undefined;
}

export interface SparkplugNode extends SparkplugUnit {
  readonly group: string;
  readonly node: string;
  readonly bdSeq: number | undefined;
  /** Devices behind it. */
  readonly devices: number;
  /** Since the start of the process: */
  readonly messages: number;
  readonly refused: number;
  readonly gaps: number;
  readonly missing: number;
  readonly rebirths: number;
  readonly lastMs: number | undefined;
}

export interface SparkplugMetricInfo {
  readonly name: string;
  readonly alias: number | string | undefined;
  readonly type: DataType;
  readonly unit: string | undefined;
  /** Why it has no series, as far as the birth says. */
  readonly skipped: SkipReason | undefined;
}

export interface SparkplugDetail extends SparkplugUnit {
  /** What its last birth says. */
  readonly metrics: readonly SparkplugMetricInfo[];
}

export interface SparkplugPage {
  readonly nodes: readonly SparkplugNode[];
  /** The last of them, where there are more. */
  readonly next: string | undefined;
}

/** What main asks of the thread that reads messages. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type SparkplugCalls = {
  /** Nodes in the order of their ids, after one. */
  sparkplugNodes(query: { readonly after: string | undefined; readonly limit: number }): SparkplugPage;
  sparkplugNode(id: string): SparkplugNode | undefined;
  /** Of a node: the devices behind it, in the order of their ids. */
  sparkplugDevices(query: {
    readonly node: string;
    readonly after: string | undefined;
    readonly limit: number;
  }): readonly SparkplugUnit[];
  /** Of a node or a device. */
  sparkplugDetail(id: string): SparkplugDetail | undefined;
};

/** Tells what is known of nodes and devices. */
export function sparkplugCalls(sparkplug: Sparkplug): SparkplugCalls {
  const { births } = sparkplug;
  return {
    sparkplugNodes: ({ after = '', limit }) => {
      const ids = firstOf(births.nodes(), after, limit + 1);
      const nodes = ids.slice(0, limit).map((id) => nodeOf(sparkplug, id));
      return { nodes, next: ids.length > limit ? nodes.at(-1)?.id : undefined };
    },
    sparkplugNode: (id) => (births.isNode(id) ? nodeOf(sparkplug, id) : undefined),
    sparkplugDevices: ({ node, after = '', limit }) =>
      firstOf(births.devicesOf(node), after, limit).map((id) => unitOf(sparkplug, id, node)),
    sparkplugDetail: (id) => detailOf(sparkplug, id),
  };
}

function nodeOf(sparkplug: Sparkplug, id: string): SparkplugNode {
  const { group = '', node = '' } = sparkplugNames(id) ?? {};
  const { messages, refused, gaps, missing, rebirths, lastMs } = sparkplug.countsOf(id);
  return {
    ...unitOf(sparkplug, id, id),
    group,
    node,
    bdSeq: sparkplug.births.find(id)?.certificates.findLast(({ isBirth }) => isBirth)?.bdSeq,
    devices: sparkplug.births.countDevices(id),
    messages,
    refused,
    gaps,
    missing,
    rebirths,
    lastMs: lastMs === 0 ? undefined : lastMs,
  };
}

function unitOf({ births }: Sparkplug, id: string, nodeId: string): SparkplugUnit {
  const own = births.find(id)?.certificates.at(-1);
  if (own === undefined) return { id, state: 'unborn', sinceMs: undefined };
  if (!own.isBirth) return { id, state: 'dead', sinceMs: own.place.arrivalMs };
  if (id === nodeId) return { id, state: 'alive', sinceMs: own.place.arrivalMs };
  const node = births.find(nodeId)?.certificates.at(-1);
  // A device is dead with its node.
  if (node?.isBirth === false) return { id, state: 'dead', sinceMs: node.place.arrivalMs };
  if (node === undefined || !isBefore(node.place, own.place)) return { id, state: 'unborn', sinceMs: node?.place.arrivalMs };
  return { id, state: 'alive', sinceMs: own.place.arrivalMs };
}

function detailOf(sparkplug: Sparkplug, id: string): SparkplugDetail | undefined {
  const { births } = sparkplug;
  const unit = births.find(id);
  if (unit === undefined) return undefined;
  const birth = unit.certificates.findLast(({ isBirth }) => isBirth);
  return { ...unitOf(sparkplug, id, unit.nodeId), metrics: birth === undefined ? [] : metricsOf(sparkplug, birth) };
}

function metricsOf({ births }: Sparkplug, birth: Certificate): SparkplugMetricInfo[] {
  const payload = births.payloadOf(birth);
  if (payload === undefined) return [];
  return readSparkplug(payload, 0, payload.length).metrics.map((metric) => {
    const type = dataTypeOf(metric.datatype);
    const found = valueOf(metric, type);
    return {
      name: metric.name ?? '',
      alias: metric.alias,
      type,
      unit: metric.unit,
      skipped: 'skipped' in found ? found.skipped : undefined,
    };
  });
}

/** The smallest of the ids after one, sorted. */
function firstOf(ids: Iterable<string>, after: string, limit: number): string[] {
  return [...ids]
    .filter((id) => id > after)
    .sort()
    .slice(0, limit);
}
