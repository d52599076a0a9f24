import { Link } from '@tanstack/react-router';
import type { Suspect } from '../api/cardinality.ts';
import { formatCount } from '../format/number-format.ts';
import { DataTable } from '../ui/data-table.tsx';
import { Section } from '../ui/section.tsx';

const KINDS: Readonly<Record<string, string>> = {
  uuid: 'a UUID',
  time: 'a time',
  address: 'an address',
  hex: 'a hexadecimal id',
  number: 'a number',
};

/** Names of metrics that grow without an end. */
export function Suspects({ suspects }: { readonly suspects: readonly Suspect[] }) {
  return (
    <Section
      title="Names that look like ids"
      note="Each different name is a series for ever. What differs belongs into the value, or into the id of the device."
    >
      <DataTable label="Suspects" columns={['Names', 'What differs', 'Different names', 'New in a day', 'Most on']}>
        {suspects.map(({ pattern, kind, names, more, examples, device, newInDay }) => (
          <tr key={`${pattern} ${kind}`} data-suspect={pattern}>
            <td data-label="Names">
              <span>
                <code>{pattern}</code>
                <small>as {examples.slice(0, 2).join(', ')}</small>
              </span>
            </td>
            <td data-label="Differs">{KINDS[kind] ?? kind}</td>
            <td data-label="Names">
              {more && 'more than '}
              {formatCount(names)}
            </td>
            <td data-label="New in 1 d">{formatCount(newInDay)}</td>
            <td data-label="Most on">
              <Link to="/devices/$deviceId" params={{ deviceId: device }}>
                {device}
              </Link>
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}
