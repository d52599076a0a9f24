import { fetchQuality, type QualityItem } from '../api/quality.ts';
import { useServices } from '../app/services.ts';
import { formatCount, formatValue } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { When } from '../ui/when.tsx';
import styles from './device-page.module.css';
import { rangeWords, type MetricSchemas } from './metric-schema.ts';

const COLUMNS = ['Metric', 'What is wrong', 'So far', 'Last value', 'When'] as const;
const REFETCH_MS = 15_000;
const KINDS: Readonly<Record<string, string>> = {
  'out-of-range': 'out of range',
  'wrong-type': 'of another kind',
  'unknown-unit': 'in another unit',
};

/** Metrics whose points do not fit the type of the device; nothing where all do. */
export function DeviceQuality({ device, schemas }: { readonly device: string; readonly schemas: MetricSchemas }) {
  const { client } = useServices();
  const pages = usePages({
    key: ['quality', device],
    fetch: (cursor, signal) => fetchQuality(client, device, cursor, signal),
    refetchEveryMs: REFETCH_MS,
  });
  if (pages.items.length === 0 && pages.error === null && !pages.hasMore) return null;
  return (
    <section className={styles.quality} aria-label="Values that do not fit" data-testid="quality">
      <h2>Values that do not fit the device type</h2>
      <p className={styles.note}>They are stored all the same: the sensor has said them.</p>
      <PagedTable
        label="Values that do not fit"
        columns={COLUMNS}
        pages={pages}
        row={(item) => <QualityRow key={`${item.metric} ${item.kind}`} item={item} schemas={schemas} />}
        empty={null}
      />
    </section>
  );
}

function QualityRow({ item, schemas }: { readonly item: QualityItem; readonly schemas: MetricSchemas }) {
  const { metric, kind, count, lastMs, lastValue, unit } = item;
  const schema = schemas.get(metric);
  const hasRange = schema?.min !== undefined || schema?.max !== undefined;
  return (
    <tr data-quality={metric} data-kind={kind}>
      <td data-label="Metric">{metric}</td>
      <td data-label="Wrong">
        <span>
          <Badge tone="warn">{KINDS[kind] ?? kind}</Badge>
          {kind === 'out-of-range' && hasRange && <small>it should be {rangeWords(schema)}</small>}
          {unit !== undefined && <small>it came in {unit}</small>}
        </span>
      </td>
      <td data-label="So far">{formatCount(count)}</td>
      <td data-label="Last value">{formatValue(lastValue)}</td>
      <td data-label="When">
        <When timeMs={lastMs} />
      </td>
    </tr>
  );
}
