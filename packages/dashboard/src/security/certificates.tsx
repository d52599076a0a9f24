import { NativeSelect, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchCertificates, type Certificate } from '../api/certificates.ts';
import { useServices } from '../app/services.ts';
import { CertificateRow, HELD_COLUMNS } from '../certificates/certificate-row.tsx';
import { RevokeDialog } from '../certificates/revoke-dialog.tsx';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { useTyped } from '../ui/use-typed.ts';
import { CERTIFICATE_VIEWS, certificateQuery } from './certificate-query.ts';
import styles from './security.module.css';

const route = getRouteApi('/security');

/** Those that end soon, all in a state, or the one with a fingerprint or serial number. */
export function Certificates() {
  const { client } = useServices();
  const { may } = useWho();
  const { show = 'expiring-30', find = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [revoking, setRevoking] = useState<Certificate>();
  const query = certificateQuery(show, find);
  const pages = usePages({
    key: ['certificates', query],
    fetch: (cursor, signal) => fetchCertificates(client, query, cursor, signal),
  });
  const go = (next: { readonly show?: string; readonly find?: string }) =>
    void navigate({
      search: Object.fromEntries(Object.entries({ show, find, ...next }).filter(([, value]) => value !== '')),
      replace: true,
    });
  const field = useTyped(find, (text) => go({ find: text }));
  return (
    <section className={styles.section} aria-label="Certificates">
      <div className={styles.head}>
        <h2>Certificates</h2>
        <TextInput
          className={styles.find}
          type="search"
          size="xs"
          aria-label="Find by fingerprint or serial number"
          placeholder="Fingerprint or serial number"
          leftSection={<Icon name="search" size={14} />}
          spellCheck={false}
          value={field.text}
          onChange={(event) => field.type(event.currentTarget.value)}
        />
        <NativeSelect
          size="xs"
          aria-label="Which certificates"
          data={[...CERTIFICATE_VIEWS]}
          value={show}
          disabled={find !== ''}
          onChange={(event) => go({ show: event.currentTarget.value })}
        />
      </div>
      <PagedTable
        label="Certificates"
        columns={HELD_COLUMNS}
        pages={pages}
        row={(certificate) => (
          <CertificateRow
            key={certificate.id}
            certificate={certificate}
            withHolder
            onRevoke={may('certificates:write') ? setRevoking : undefined}
          />
        )}
        empty={
          <EmptyNote
            title={emptyTitle(show, find)}
            command={{ title: 'Issue one for a device', command: 'npx selsyn cert issue DEVICE --out .' }}
          />
        }
      />
      <RevokeDialog certificate={revoking} onClose={() => setRevoking(undefined)} />
    </section>
  );
}

function emptyTitle(show: string, find: string): string {
  if (find !== '') return `No certificate has this fingerprint or serial number`;
  return show.startsWith('expiring') ? 'No active certificate ends in that time' : 'No such certificate';
}
