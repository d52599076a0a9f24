import { AuditList } from '../audit/audit-list.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';

/** What was done to a device, and by whom. */
export function HistoryTab({ device }: { readonly device: string }) {
  return (
    <AuditList
      query={{ kind: 'device', id: device }}
      ofOneObject
      empty={<EmptyNote title="Nothing was changed yet">Devices from before the audit trail have no beginning here.</EmptyNote>}
    />
  );
}
