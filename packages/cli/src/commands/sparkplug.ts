import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatAge, formatTable } from '../table.ts';

interface Unit {
  readonly id: string;
  readonly state: string;
  readonly sinceMs?: number;
}

interface Node extends Unit {
  readonly group: string;
  readonly node: string;
  readonly devices: number;
  readonly messages: number;
  readonly refused: number;
  readonly gaps: number;
  readonly rebirths: number;
  readonly lastMs?: number;
}

interface Detail extends Unit {
  readonly metrics: readonly {
    readonly name: string;
    readonly alias?: number | string;
    readonly type: string;
    readonly unit?: string;
    readonly skipped?: string;
  }[];
}

type Options = AddressOptions & { readonly json?: boolean };

/** `selsyn sparkplug nodes|show|rebirth` */
export function addSparkplugCommands(program: Command): void {
  const sparkplug = program.command('sparkplug').description('edge nodes of Sparkplug B, and the devices behind them');

  sparkplug
    .command('nodes')
    .description('list edge nodes')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const api = new ApiClient(findServer(options));
      const nodes: Node[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await api.get<{ readonly items: readonly Node[]; readonly cursor?: string }>(
          `/sparkplug/nodes?limit=1000${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
        );
        nodes.push(...page.items);
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      if (options.json === true) return nodes.forEach((node) => print(JSON.stringify(node)));
      print(nodes.length === 0 ? 'no edge node has been born yet' : tableOf(nodes));
    });

  sparkplug
    .command('show <id>')
    .description('show a node (group:node) and what is behind it, or a device (group:node:device)')
    .option('--json', 'print JSON')
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const api = new ApiClient(findServer(options));
      const detail = await api.get<Detail>(`/devices/${encodeURIComponent(id)}/sparkplug`);
      const isNode = !id
        .replaceAll(/::[0-9a-f]{2}/g, '')
        .replace(':', '')
        .includes(':');
      const { behind = [] } = isNode ? await api.get<{ behind?: readonly Unit[] }>(pathOf(id)) : {};
      if (options.json === true) return print(JSON.stringify({ ...detail, ...(isNode && { behind }) }));
      print(`${detail.id}  ${stateOf(detail)}\n`);
      print(
        formatTable(
          ['metric', 'alias', 'type', 'unit', 'left out'],
          detail.metrics.map((metric) => [
            printable(metric.name),
            String(metric.alias ?? ''),
            metric.type,
            printable(metric.unit ?? ''),
            metric.skipped ?? '',
          ]),
        ),
      );
      if (behind.length > 0)
        print(
          `\n${formatTable(
            ['device', 'state'],
            behind.map((unit) => [unit.id, stateOf(unit)]),
          )}`,
        );
    });

  sparkplug
    .command('rebirth <node>')
    .description('ask an edge node for its births')
    .action(async (node: string, _: unknown, command: Command) => {
      await new ApiClient(findServer(command.optsWithGlobals<Options>())).post(`${pathOf(node)}/rebirth`, {});
      print(`asked ${node}`);
    });
}

function tableOf(nodes: readonly Node[]): string {
  const nowMs = Date.now();
  return formatTable(
    ['node', 'state', 'devices', 'messages', 'refused', 'gaps', 'rebirths', 'last'],
    nodes.map((node) => [
      node.id,
      stateOf(node),
      ...[node.devices, node.messages, node.refused, node.gaps, node.rebirths].map(String),
      node.lastMs === undefined ? '' : `${formatAge(nowMs - node.lastMs)} ago`,
    ]),
  );
}

function stateOf({ state, sinceMs }: Unit): string {
  return sinceMs === undefined ? state : `${state} for ${formatAge(Date.now() - sinceMs)}`;
}

function pathOf(id: string): string {
  return `/sparkplug/nodes/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
