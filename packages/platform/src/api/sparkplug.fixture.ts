import type { SparkplugDetail, SparkplugNode } from '../payloads/sparkplug/node-report.ts';
import type { SparkplugDirectory } from './sparkplug-directory.ts';

/** Knows the nodes that a test gives it; the first has a device behind it. */
export class FakeSparkplug implements SparkplugDirectory {
  readonly asked: string[] = [];
  readonly #nodes: SparkplugNode[] = [];

  add(id: string): void {
    const counts = { messages: 4, refused: 1, gaps: 2, missing: 3, rebirths: 1 };
    const [group = '', node = ''] = id.split(':');
    const devices = this.#nodes.length === 0 ? 1 : 0;
    this.#nodes.push({ id, group, node, state: 'alive', sinceMs: 1, bdSeq: undefined, devices, ...counts, lastMs: 2 });
  }

  async nodes({ after = '', limit }: { readonly after: string | undefined; readonly limit: number }) {
    const nodes = this.#nodes.filter(({ id }) => id > after);
    return { nodes: nodes.slice(0, limit), next: nodes.length > limit ? nodes[limit - 1]?.id : undefined };
  }

  async node(id: string) {
    return this.#nodes.find((node) => node.id === id);
  }

  async devices({ node }: { readonly node: string }) {
    return this.#nodes[0]?.id === node ? [{ id: `${node}:D`, state: 'dead' as const, sinceMs: 3 }] : [];
  }

  async detail(id: string): Promise<SparkplugDetail | undefined> {
    const metrics = [{ name: 'temperature', alias: 7, type: 'Int16', unit: '°C', skipped: undefined }] as const;
    const isKnown = this.#nodes.some((node) => node.id === id || `${node.id}:D` === id);
    return isKnown ? { id, state: 'dead', sinceMs: 3, metrics } : undefined;
  }

  async askForBirth({ group, node }: { readonly group: string; readonly node: string }): Promise<void> {
    this.asked.push(`${group}/${node}`);
  }
}
