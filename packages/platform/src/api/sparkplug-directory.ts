import type { SparkplugDetail, SparkplugNode, SparkplugPage, SparkplugUnit } from '../payloads/sparkplug/node-report.ts';

/** What is known of edge nodes and of the devices behind them. */
export interface SparkplugDirectory {
  nodes(query: { readonly after: string | undefined; readonly limit: number }): Promise<SparkplugPage>;
  node(id: string): Promise<SparkplugNode | undefined>;
  devices(query: {
    readonly node: string;
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<readonly SparkplugUnit[]>;
  detail(id: string): Promise<SparkplugDetail | undefined>;
  /** Asks a node for its births. */
  askForBirth(node: { readonly group: string; readonly node: string }): Promise<void>;
}
