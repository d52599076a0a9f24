import { Counter, Gauge, type Registry } from 'prom-client';
import { total } from '../../kernel/metrics.ts';
import type { RebirthRequests } from './rebirth-requests.ts';
import type { Sparkplug } from './sparkplug-decoder.ts';
import { SKIP_REASONS } from './sparkplug-values.ts';

/** Shows the plain counters of Sparkplug as metrics; they are read when a scrape asks. */
export function registerSparkplugMetrics(
  registry: Registry,
  { sparkplug, rebirths }: { readonly sparkplug: Sparkplug; readonly rebirths: RebirthRequests },
): void {
  const counts: readonly [name: string, help: string, read: () => number][] = [
    ['messages_total', 'Messages of Sparkplug that were read or refused', () => sparkplug.totals.messages],
    ['refused_total', 'Messages of Sparkplug that were refused', () => sparkplug.totals.refused],
    [
      'sequence_gaps_total',
      'Times that a message did not have the number after that of the one before',
      () => sparkplug.totals.gaps,
    ],
    ['rebirths_requested_total', 'Rebirths that edge nodes were asked for', () => rebirths.sent],
    [
      'rebirths_held_back_total',
      'Rebirths that were not asked for yet, because it would have been too often',
      () => rebirths.heldBack,
    ],
    ['stale_deaths_total', 'Deaths of an earlier connection of a node, which ended nothing', () => sparkplug.staleDeaths],
  ];
  for (const [name, help, read] of counts) total(registry, `selsyn_sparkplug_${name}`, help, read);
  const nodes: Gauge = new Gauge({
    name: 'selsyn_sparkplug_nodes',
    help: 'Edge nodes that are known',
    registers: [registry],
    collect: () => nodes.set(sparkplug.births.nodeCount),
  });
  const skipped: Counter<'reason'> = new Counter({
    name: 'selsyn_sparkplug_skipped_values_total',
    help: 'Values that are no points, by why',
    labelNames: ['reason'],
    registers: [registry],
    collect: () => {
      skipped.reset();
      for (const reason of SKIP_REASONS) skipped.inc({ reason }, sparkplug.skipped.get(reason) ?? 0);
    },
  });
}
