# Programs: their flags against the GNU tools.

### identity
echo hello; pwd; id -u
