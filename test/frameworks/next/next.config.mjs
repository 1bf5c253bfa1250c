import { fileURLToPath } from 'node:url'

/** @type {import('next').NextConfig} */
export default {
  // It has native parts, which a bundler cannot carry.
  serverExternalPackages: ['gatebook'],
  turbopack: { root: fileURLToPath(new URL('../../..', import.meta.url)) },
  poweredByHeader: false,
}
