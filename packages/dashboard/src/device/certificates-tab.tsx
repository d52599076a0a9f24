import { Button } from '@mantine/core';
import { useState, useSyncExternalStore } from 'react';
import { fetchCertificates, type Certificate } from '../api/certificates.ts';
import type { Device } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { CERTIFICATE_COLUMNS, CertificateRow } from '../certificates/certificate-row.tsx';
import styles from '../certificates/certificates.module.css';
import { IssueDialog } from '../certificates/issue-dialog.tsx';
import { RevokeDialog } from '../certificates/revoke-dialog.tsx';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';

/** How a device proves who it is. */
export function CertificatesTab({ device }: { readonly device: Device }) {
  const { client, ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  const { may } = useWho();
  const [issuing, setIssuing] = useState(false);
  const [revoking, setRevoking] = useState<Certificate>();
  const pages = usePages({
    key: ['certificates', 'device', device.id],
    fetch: (cursor, signal) => fetchCertificates(client, { device: device.id }, cursor, signal),
  });
  const mayWrite = may('certificates:write', device.group);
  const rotates = pages.items.some(({ status, notAfterMs }) => status === 'active' && notAfterMs > nowMs);
  return (
    <section aria-label="Certificates">
      <div className={styles.head}>
        <h2>Certificates</h2>
        {mayWrite && !pages.isPending && (
          <Button size="sm" onClick={() => setIssuing(true)}>
            {rotates ? 'Rotate…' : 'Issue…'}
          </Button>
        )}
      </div>
      <PagedTable
        label="Certificates of this device"
        columns={CERTIFICATE_COLUMNS}
        pages={pages}
        row={(certificate) => (
          <CertificateRow key={certificate.id} certificate={certificate} onRevoke={mayWrite ? setRevoking : undefined} />
        )}
        empty={
          <EmptyNote
            title="No certificate yet"
            command={{
              title: 'Writes the certificate, its key and ca.crt',
              command: `npx selsyn cert issue ${device.id} --out .`,
            }}
          >
            {mayWrite
              ? 'The device signs in by its token. Issue a certificate here or from a shell, or let it enrol by itself.'
              : 'The device signs in by its token.'}
          </EmptyNote>
        }
      />
      <IssueDialog device={device.id} rotates={rotates} opened={issuing} onClose={() => setIssuing(false)} />
      <RevokeDialog certificate={revoking} onClose={() => setRevoking(undefined)} />
    </section>
  );
}
