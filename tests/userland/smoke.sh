### first
echo hello; pwd; id -u
